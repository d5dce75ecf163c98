import { fill, warmConsumer } from '../src/jobs.mjs';

export default {
  name: 'retries',
  title: 'every job fails once, back-off 1 ms',
  sizes: { full: { jobs: 60_000, warmUp: 10_000 }, quick: { jobs: 15_000, warmUp: 5_000 } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', target: 5 }],

  prepare: (context) => fill(context, context.driver.retryOnce),
  open: (context) =>
    warmConsumer(context, {
      concurrency: 100,
      handler: async (job) => {
        if (context.driver.isFirstAttempt(job)) throw new Error('the first attempt fails');
      },
    }),
};
