import { drained, job, MEASURED, WARM_UP } from '../src/jobs.mjs';
import { untilWarm } from '../src/warm-up.mjs';

const SIZES = [
  { bytes: 100, title: '100 B', full: 60_000, quick: 20_000, each: 50 },
  { bytes: 10_000, title: '10 KB', full: 10_000, quick: 4_000, each: 20 },
  { bytes: 500_000, title: '500 KB', full: 300, quick: 100, each: 4 },
];

/** Jobs with a larger payload, added in bulk and then worked off at the same time. */
export default SIZES.map(({ bytes, title, full, quick, each }) => ({
  name: `growth-payload/${bytes}`,
  title: `payload of ${title}, added and worked off`,
  group: 'growth',
  variants: ['peer', 'ours'],
  params: { bytes, each },
  sizes: { full: { jobs: full }, quick: { jobs: quick } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate' }],

  async open(context) {
    const warm = await cycle(context, WARM_UP);
    await untilWarm(context.warmUpMs, () => warm.run(context.params.each * 5));
    await warm.close();
    const { run, close } = await cycle(context, MEASURED);
    return { run: () => run(context.jobs), close };
  },
}));

async function cycle(context, name) {
  const { driver, params } = context;
  const data = { text: 'x'.repeat(params.bytes) };
  const queue = await driver.queue(name);
  let handled = 0;
  const worker = await driver.worker(name, async () => void (handled += 1), { concurrency: 100 });
  worker.start();
  return {
    async run(count) {
      for (let from = 0; from < count; from += params.each) {
        const size = Math.min(params.each, count - from);
        await queue.addBulk(Array.from({ length: size }, (_, index) => job(index, undefined, data)));
      }
      await drained(context, name);
      const jobs = handled;
      handled = 0;
      return { jobs };
    },
    async close() {
      await worker.close();
      await queue.close();
    },
  };
}
