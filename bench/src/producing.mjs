import { MEASURED, WARM_UP } from './jobs.mjs';

/**
 * Opens a scenario that only adds: the same `produce` gets the process warm, then runs on the clock.
 *
 * @param {(queue: import('../drivers/driver.d.ts').BenchQueue, count: number) => Promise<void>} produce
 */
export function producing(produce) {
  return async ({ driver, jobs, warmUp }) => {
    const warm = await driver.queue(WARM_UP);
    await produce(warm, warmUp);
    await warm.close();

    const queue = await driver.queue(MEASURED);
    // Connects, and loads the script.
    await produce(queue, 1);
    return {
      async run() {
        await produce(queue, jobs);
        return { jobs };
      },
      close: () => queue.close(),
    };
  };
}
