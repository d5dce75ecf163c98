import { consuming } from '../src/consuming.mjs';

export default {
  name: 'retries',
  title: 'every job fails once, back-off 1 ms',
  sizes: { full: { jobs: 60_000, warmUp: 10_000 }, quick: { jobs: 15_000, warmUp: 5_000 } },
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
