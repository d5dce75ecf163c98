import { PARTS } from '../drivers/parts.mjs';
import { consuming } from '../src/consuming.mjs';

/**
 * A worker with each optional part, and without it: the default worker is the one of the two, by whether the part is on
 * by default.
 */
export default Object.entries(PARTS).map(([part, { title, byDefault = false, target }]) => {
  const sides = byDefault ? { of: 'ours', to: 'oursPart' } : { of: 'oursPart', to: 'ours' };
  return {
    name: `unused/${part}`,
    title,
    group: 'unused',
    // They have a table of their own.
    costs: false,
    variants: ['ours', 'oursPart'],
    params: { part },
    sizes: { full: { jobs: 100_000, oursTimes: 4 }, quick: { jobs: 30_000, oursTimes: 3 } },
    metrics: [
      { key: 'clientCpuUs', ...sides, target },
      { key: 'redisCpuUs', ...sides, target },
    ],
    ...consuming({ concurrency: 100, workerOptions: ({ params }) => ({ part: params.part }) }),
  };
});
