import { addInBulk, CHUNK, drained, MEASURED } from '../src/jobs.mjs';

/** Memory per completed job that is kept, once the capped histories (events) are full. */
export default {
  name: 'memory-tracked',
  title: 'Redis memory per completed job that is kept',
  variants: ['peer', 'oursTracked'],
  rounds: 2,
  sizes: { full: { jobs: 150_000, before: 150_000 }, quick: { jobs: 110_000, before: 110_000 } },
  metrics: [{ key: 'bytesPerJob', of: 'oursTracked', to: 'peer', target: 1 }],

  async open({ driver, jobs, before, unfinished }) {
    const queue = await driver.queue(MEASURED);
    const worker = await driver.worker(MEASURED, async ({ data }) => ({ sent: data.n }), {
      concurrency: 100,
    });
    worker.start();
    const workOff = async (count) => {
      await addInBulk(queue, count, CHUNK);
      await drained({ unfinished }, MEASURED);
    };
    await workOff(before);
    return {
      async run() {
        await workOff(jobs);
        return { jobs };
      },
      async close() {
        await worker.close();
        await queue.close();
      },
    };
  },

  fromServer: ({ memory, jobs }) => ({ bytesPerJob: memory / jobs }),
};
