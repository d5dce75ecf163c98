import { job, MEASURED, WARM_UP } from '../src/jobs.mjs';
import { untilWarm } from '../src/warm-up.mjs';

const CALLERS = 20;
const BULK = 50;

export default {
  name: 'results',
  title: 'results stored and awaited',
  sizes: { full: { jobs: 40_000, oursTimes: 3 }, quick: { jobs: 12_000, oursTimes: 3 } },
  // Waiting for a result is woken by its event, on both sides.
  variants: ['peer', 'peerTuned', 'ours'],
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', target: 3 }],

  async open(context) {
    const warm = await roundTrips(context, WARM_UP);
    await untilWarm(context.warmUpMs, () => warm.run(CALLERS * BULK));
    await warm.close();

    const measured = await roundTrips(context, MEASURED);
    await measured.run(CALLERS * BULK);
    return { run: () => measured.run(context.jobs), close: measured.close };
  },
};

/** Twenty callers, each of which adds fifty jobs and awaits their fifty results. */
async function roundTrips({ driver }, name) {
  const queue = await driver.queue(name);
  const worker = await driver.worker(name, async ({ data }) => ({ n: data.n }), {
    concurrency: 100,
    ...driver.storeResults,
  });
  worker.start();
  return {
    async run(count) {
      let next = 0;
      let returned = 0;
      const caller = async () => {
        while (next < count) {
          const from = next;
          next += BULK;
          const jobs = await queue.addBulk(Array.from({ length: BULK }, (_, index) => job(from + index)));
          const results = await Promise.all(jobs.map((added) => driver.resultOf(queue, added)));
          returned += results.filter((result, index) => result.n === from + index).length;
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      return { jobs: returned };
    },
    async close() {
      await worker.close();
      await queue.close();
    },
  };
}
