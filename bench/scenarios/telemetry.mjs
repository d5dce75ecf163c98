import { consuming } from '../src/consuming.mjs';
import { addInBulk, addOne } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

const TICK = 1_000;
const BULK = 50;

/**
 * What traces and metrics may cost of a client's time, beside an SDK that the application has anyway (`oursSdk`): what that
 * costs by itself is not this project's. The ratio to a process without an SDK has no target.
 */
const common = {
  group: 'telemetry',
  variants: ['ours', 'oursSdk', 'oursTraced'],
  metrics: [
    { key: 'clientCpuUs', of: 'oursTraced', to: 'oursSdk', also: 'ours', target: 1.15 },
    { key: 'rate', of: 'oursTraced', to: 'oursSdk', also: 'ours' },
  ],
};

/** The same with and without a telemetry, of which 1 % of the traces are sampled. */
export default [
  {
    ...common,
    name: 'telemetry/worker',
    title: 'worker, concurrency 100, empty handler',
    sizes: { full: { jobs: 100_000, oursTimes: 5 }, quick: { jobs: 30_000, oursTimes: 5 } },
    ...consuming({ concurrency: 100 }),
  },
  {
    ...common,
    name: 'telemetry/bulk',
    title: '`addBulk` of 50',
    sizes: { full: { jobs: 150_000, oursTimes: 3 }, quick: { jobs: 40_000, oursTimes: 4 } },
    open: producing((queue, count) => addInBulk(queue, count, BULK), 5 * TICK),
  },
  {
    ...common,
    name: 'telemetry/add',
    title: '`add` × 1,000 in one tick, in a request',
    sizes: { full: { jobs: 150_000, oursTimes: 3 }, quick: { jobs: 40_000, oursTimes: 4 } },
    open: (context) => {
      const { inRequest = (work) => work() } = context.driver;
      return producing(async (queue, count) => {
        for (let from = 0; from < count; from += TICK) {
          const size = Math.min(TICK, count - from);
          const adds = () =>
            Promise.all(Array.from({ length: size }, (_, index) => addOne(queue, from + index)));
          await inRequest(adds);
        }
      }, 5 * TICK)(context);
    },
  },
];
