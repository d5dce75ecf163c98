import { consuming } from '../src/consuming.mjs';

/** BullMQ keeps every completed job and its result by default; our queue does so with `trackJobs`. */
export default {
  name: 'tracked-100',
  title: 'worker, concurrency 100, completed jobs and results are kept',
  variants: ['peer', 'oursTracked'],
  sizes: { full: { jobs: 100_000, oursTimes: 5 }, quick: { jobs: 30_000, oursTimes: 5 } },
  metrics: [
    { key: 'rate', of: 'oursTracked', to: 'peer', target: 4 },
    { key: 'clientCpuUs', of: 'oursTracked', to: 'peer' },
    { key: 'redisCpuUs', of: 'oursTracked', to: 'peer' },
  ],
  ...consuming({
    concurrency: 100,
    handler:
      () =>
      async ({ data }) => ({ sent: data.n }),
  }),
};
