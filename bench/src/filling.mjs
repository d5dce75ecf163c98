import { addInBulk, CHUNK, MEASURED } from './jobs.mjs';

/**
 * Memory per job: what a further job costs once the capped histories (events) are full. The first jobs fill those, the
 * next ones are measured.
 *
 * @param {object} [opts] options of the jobs
 */
export function filling(opts) {
  return {
    rounds: 2,
    sizes: { full: { jobs: 150_000, before: 150_000 }, quick: { jobs: 110_000, before: 110_000 } },

    async open({ driver, jobs, before }) {
      const queue = await driver.queue(MEASURED);
      await addInBulk(queue, before, CHUNK, opts);
      return {
        async run() {
          await addInBulk(queue, jobs, CHUNK, opts);
          return { jobs };
        },
        close: () => queue.close(),
      };
    },

    fromServer: ({ memory, jobs }) => ({ bytesPerJob: memory / jobs }),
  };
}
