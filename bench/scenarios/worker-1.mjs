import { consuming } from '../src/consuming.mjs';

export default {
  name: 'worker-1',
  title: 'worker, concurrency 1',
  sizes: { full: { jobs: 30_000, oursTimes: 20 }, quick: { jobs: 8_000, oursTimes: 20 } },
  metrics: [{ key: 'rate', target: 8 }],
  ...consuming({ concurrency: 1 }),
};
