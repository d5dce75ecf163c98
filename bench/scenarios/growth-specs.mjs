import { setTimeout as sleep } from 'node:timers/promises';
import { MEASURED } from '../src/jobs.mjs';

const COUNTS = [10, 1_000, 10_000, 100_000, 1_000_000];
const AN_HOUR = 3_600_000;
/** BullMQ keeps a delayed job for each, and setting up more takes minutes. */
const MOST_OF_PEER = 10_000;
const DUE_EACH_SECOND = 10;
const AT_ONCE = 500;

/** What the schedule costs the server while ten specs are due each second and so many exist. */
export default COUNTS.map((specs) => ({
  name: `growth-specs/${specs}`,
  title: `${specs.toLocaleString('en-US')} repeatable specs, ${DUE_EACH_SECOND} due each second`,
  group: 'growth',
  variants: specs > MOST_OF_PEER ? ['ours'] : ['peer', 'ours'],
  params: { specs },
  sizes: { full: { ms: 10_000 }, quick: { ms: 5_000 } },
  metrics: [{ key: 'redisMsPerSecond', against: `growth-specs/${COUNTS[0]}`, target: 1.5 }],

  async open({ driver, ms, params }) {
    const queue = await driver.queue(MEASURED);
    const add = (index) => {
      const every = index < DUE_EACH_SECOND ? 1_000 : AN_HOUR;
      return driver.repeat(queue, `spec-${index}`, every);
    };
    for (let from = 0; from < params.specs; from += AT_ONCE) {
      const size = Math.min(AT_ONCE, params.specs - from);
      await Promise.all(Array.from({ length: size }, (_, index) => add(from + index)));
    }
    const worker = await driver.worker(MEASURED, async () => undefined, { concurrency: 10 });
    worker.start();
    await sleep(2_000);
    return {
      async run() {
        await sleep(ms);
        return {};
      },
      async close() {
        await worker.close();
        await queue.close();
      },
    };
  },

  fromServer: ({ cpuUs, seconds }) => ({ redisMsPerSecond: cpuUs / 1_000 / seconds }),
}));
