import { consuming } from '../src/consuming.mjs';

export default {
  name: 'delayed',
  title: 'delayed, end to end (all due)',
  sizes: { full: { jobs: 100_000, warmUp: 20_000 }, quick: { jobs: 30_000, warmUp: 10_000 } },
  metrics: [{ key: 'rate', target: 8 }],
  ...consuming({ concurrency: 100, jobOptions: () => ({ delay: 1 }) }),
};
