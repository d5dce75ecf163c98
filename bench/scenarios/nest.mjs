import { consuming } from '../src/consuming.mjs';

/** The same worker, bare and in a Nest application. */
export default {
  name: 'nest',
  title: '`@OnJob` with a pipe and an interceptor, against a bare handler',
  group: 'nest',
  variants: ['ours', 'oursNest'],
  sizes: { full: { jobs: 100_000, oursTimes: 3 }, quick: { jobs: 30_000, oursTimes: 3 } },
  metrics: [
    { key: 'clientCpuUs', of: 'oursNest', to: 'ours', target: 1.5 },
    { key: 'rate', of: 'oursNest', to: 'ours' },
  ],
  ...consuming({ concurrency: 100 }),
};
