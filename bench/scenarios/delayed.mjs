import { consuming } from '../src/consuming.mjs';

export default {
  name: 'delayed',
  title: 'delayed, end to end (all due)',
  sizes: { full: { jobs: 80_000, oursTimes: 5 }, quick: { jobs: 25_000, oursTimes: 5 } },
  metrics: [{ key: 'rate', target: 8 }],
  ...consuming({ concurrency: 100, jobOptions: () => ({ delay: 1 }) }),
};
