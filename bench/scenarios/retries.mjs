import { consuming } from '../src/consuming.mjs';

export default {
  name: 'retries',
  title: 'every job fails once, back-off 1 ms',
  sizes: { full: { jobs: 40_000, oursTimes: 4 }, quick: { jobs: 12_000, oursTimes: 4 } },
  metrics: [{ key: 'rate', target: 5 }],
  ...consuming({
    concurrency: 100,
    jobOptions: ({ driver }) => driver.retryOnce,
    handler:
      ({ driver }) =>
      async (job) => {
        if (driver.isFirstAttempt(job)) throw new Error('the first attempt fails');
      },
  }),
};
