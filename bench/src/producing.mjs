import { MEASURED } from './jobs.mjs';
import { untilWarm } from './warm-up.mjs';

/**
 * A scenario that only adds: the same `produce` gets the process warm, then runs on the clock.
 *
 * @param {(queue: import('../drivers/driver.d.ts').BenchQueue, count: number) => Promise<void>} produce
 * @param {number} atOnce jobs of one turn of the warm-up
 */
export function producing(produce, atOnce) {
  return async ({ driver, redis, jobs, warmUpMs }) => {
    const queue = await driver.queue(MEASURED);
    await untilWarm(warmUpMs, () => produce(queue, atOnce));
    await redis.flushall();
    // A server that was emptied has to be told things anew: the queue's own keys, say.
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
