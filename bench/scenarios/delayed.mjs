import { fill, warmConsumer } from '../src/jobs.mjs';

export default {
  name: 'delayed',
  title: 'delayed, end to end (all due)',
  sizes: { full: { jobs: 100_000, warmUp: 20_000 }, quick: { jobs: 30_000, warmUp: 10_000 } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', target: 8 }],

  prepare: (context) => fill(context, { delay: 1 }),
  open: (context) => warmConsumer(context, { concurrency: 100 }),
};
