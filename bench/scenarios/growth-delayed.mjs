import { consuming } from '../src/consuming.mjs';

const COUNTS = [1_000, 10_000, 100_000, 1_000_000];

/** Delayed jobs that are all due, promoted and worked off. */
export default COUNTS.map((jobs) => ({
  name: `growth-delayed/${jobs}`,
  title: `${jobs.toLocaleString('en-US')} delayed jobs due at once`,
  group: 'growth',
  variants: ['peer', 'ours'],
  sizes: { full: { jobs }, quick: { jobs } },
  metrics: [{ key: 'rate' }],
  ...consuming({ concurrency: 100, jobOptions: () => ({ delay: 1 }) }),
}));
