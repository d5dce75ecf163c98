import { consuming } from '../src/consuming.mjs';

export default {
  name: 'worker-100',
  title: 'worker, concurrency 100, empty handler',
  sizes: { full: { jobs: 200_000, warmUp: 30_000 }, quick: { jobs: 50_000, warmUp: 15_000 } },
  metrics: [
    { key: 'rate', target: 8.8, quietTarget: 12 },
    { key: 'clientCpuUs', target: 0.15 },
    { key: 'stallMs', limit: 20 },
  ],
  native: ['xreadgroup', 'xack', 'xdel'],
  ...consuming({ concurrency: 100 }),
};
