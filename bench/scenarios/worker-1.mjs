import { consuming } from '../src/consuming.mjs';

export default {
  name: 'worker-1',
  title: 'worker, concurrency 1',
  sizes: { full: { jobs: 40_000, warmUp: 10_000 }, quick: { jobs: 10_000, warmUp: 5_000 } },
  metrics: [{ key: 'rate', target: 8 }],
  ...consuming({ concurrency: 1 }),
};
