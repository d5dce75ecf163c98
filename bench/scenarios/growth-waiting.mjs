import { consuming } from '../src/consuming.mjs';

const BACKLOGS = [1_000, 10_000, 100_000, 1_000_000];
/** The capacity of our work stream, unless configured. */
const MOST = 1_000_000;

/** Throughput of a worker while at least so many jobs go on waiting behind those on the clock. */
export default BACKLOGS.map((backlog) => ({
  name: `growth-waiting/${backlog}`,
  title: `worker with ${backlog.toLocaleString('en-US')} jobs waiting`,
  group: 'growth',
  variants: ['peer', 'ours'],
  sizes: { full: { jobs: 50_000, oursTimes: 4 }, quick: { jobs: 20_000, oursTimes: 4 } },
  metrics: [{ key: 'rate', against: `growth-waiting/${BACKLOGS[0]}`, target: 0.8 }],
  ...consuming({ concurrency: 100, backlog: ({ jobs }) => Math.min(backlog + jobs, MOST) }),
}));
