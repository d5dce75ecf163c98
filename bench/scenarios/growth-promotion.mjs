import { setTimeout as sleep } from 'node:timers/promises';
import { fill, MEASURED } from '../src/jobs.mjs';

const COUNTS = [10_000, 100_000, 1_000_000];
const POLL_MS = 5;

/** Only the way of due jobs from the delayed set to the work stream: the one handler there is never ends. */
export default COUNTS.map((jobs) => ({
  name: `growth-promotion/${jobs}`,
  title: `promotion of ${jobs.toLocaleString('en-US')} due jobs`,
  group: 'growth',
  variants: ['ours', 'oursQuiet'],
  sizes: { full: { jobs }, quick: { jobs } },
  metrics: [
    { key: 'rate', ...(jobs === COUNTS.at(-1) && { floor: 100_000 }) },
    { key: 'slowestCallMs', limit: 10 },
  ],

  prepare: (context) => fill(context.driver, { [MEASURED]: jobs }, { delay: 1 }),

  async open({ driver, delayed }) {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    const worker = await driver.worker(MEASURED, () => released, { concurrency: 1 });
    return {
      async run() {
        worker.start();
        while ((await delayed(MEASURED)) > 0) await sleep(POLL_MS);
        return { jobs };
      },
      async close() {
        release();
        await worker.close();
      },
    };
  },
}));
