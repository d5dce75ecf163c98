import { fill, warmConsumer } from '../src/jobs.mjs';

export default {
  name: 'worker-1',
  title: 'worker, concurrency 1',
  sizes: { full: { jobs: 40_000, warmUp: 10_000 }, quick: { jobs: 10_000, warmUp: 5_000 } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', target: 8 }],

  prepare: (context) => fill(context),
  open: (context) => warmConsumer(context, { concurrency: 1 }),
};
