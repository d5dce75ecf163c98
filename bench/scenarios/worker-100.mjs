import { consuming } from '../src/consuming.mjs';

export default {
  name: 'worker-100',
  title: 'worker, concurrency 100, empty handler',
  sizes: { full: { jobs: 100_000, oursTimes: 9 }, quick: { jobs: 30_000, oursTimes: 9 } },
  metrics: [
    { key: 'rate', target: 8.8, quietTarget: 12 },
    { key: 'clientCpuUs', target: 0.15 },
    { key: 'stallMs', limit: 20 },
  ],
  native: ['xreadgroup', 'xack', 'xdel'],
  ...consuming({ concurrency: 100 }),
};
