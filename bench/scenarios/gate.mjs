import { consuming } from '../src/consuming.mjs';

const PRIORITIES = 1_000;
const GROUPS = 1_000;

/** More than any side starts in that time. */
const NEVER_REACHED = { max: 1_000_000, duration: 1_000 };

const metrics = (target) => [{ key: 'rate', target }, { key: 'clientCpuUs' }, { key: 'redisCpuUs' }];

/** Jobs that do not simply wait in line. */
export default [
  {
    name: 'gate/priorities',
    title: 'worker, concurrency 100, each job has one of 1,000 priorities',
    variants: ['peer', 'ours', 'peerTuned', 'oursQuiet'],
    sizes: { full: { jobs: 60_000, oursTimes: 5 }, quick: { jobs: 20_000, oursTimes: 5 } },
    metrics: metrics(5),
    // In no order: 7919 is prime to the number of priorities.
    ...consuming({
      concurrency: 100,
      jobOptions: () => (index) => ({ priority: 1 + ((index * 7_919) % PRIORITIES) }),
    }),
  },
  {
    name: 'gate/limiter',
    title: 'worker, concurrency 100, a rate limit that is never reached',
    variants: ['peer', 'ours', 'peerTuned', 'oursQuiet'],
    sizes: { full: { jobs: 60_000, oursTimes: 5 }, quick: { jobs: 20_000, oursTimes: 5 } },
    metrics: metrics(6),
    ...consuming({ concurrency: 100, workerOptions: () => ({ limiter: NEVER_REACHED }) }),
  },
  {
    name: 'gate/groups',
    title: 'worker, concurrency 100, 1,000 groups that run one job at a time each',
    group: 'groups',
    variants: ['peerGroups', 'ours', 'oursQuiet'],
    sizes: { full: { jobs: 60_000, oursTimes: 4 }, quick: { jobs: 20_000, oursTimes: 3 } },
    metrics: [
      { key: 'rate', of: 'ours', to: 'peerGroups', target: 4 },
      { key: 'clientCpuUs', of: 'ours', to: 'peerGroups' },
      { key: 'redisCpuUs', of: 'ours', to: 'peerGroups' },
    ],
    ...consuming({
      concurrency: 100,
      jobOptions: () => (index) => ({ group: { id: `tenant-${index % GROUPS}` } }),
      workerOptions: () => ({ group: { concurrency: 1 } }),
    }),
  },
];
