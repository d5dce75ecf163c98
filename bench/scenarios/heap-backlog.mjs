import { consuming } from '../src/consuming.mjs';
import { heapMeter } from '../src/heap-meter.mjs';

const BACKLOGS = [1_000, 1_000_000];
/** The capacity of our work stream, unless configured. */
const MOST = 1_000_000;

/** What a worker holds in memory while so many jobs wait behind those that it works on. */
export default BACKLOGS.map((backlog) => {
  const { prepare, open } = consuming({
    concurrency: 100,
    backlog: ({ jobs }) => Math.min(backlog + jobs, MOST),
    handler:
      ({ meter }) =>
      async () =>
        meter.look(),
  });
  return {
    name: `heap-backlog/${backlog}`,
    title: `worker with ${backlog.toLocaleString('en-US')} jobs waiting`,
    group: 'growth',
    // It collects garbage all the time.
    costs: false,
    variants: ['ours'],
    sizes: { full: { jobs: 50_000 }, quick: { jobs: 20_000 } },
    metrics: [
      { key: 'heapMiB', against: `heap-backlog/${BACKLOGS[0]}`, target: 1.1 },
      { key: 'peakHeapMiB', against: `heap-backlog/${BACKLOGS[0]}` },
    ],
    prepare,

    async open(context) {
      const meter = heapMeter();
      const { run, close } = await open({ ...context, meter });
      return {
        async run() {
          meter.start();
          return { ...(await run()), values: meter.values() };
        },
        close,
      };
    },
  };
});
