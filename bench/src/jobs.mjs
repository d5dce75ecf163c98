import { setTimeout as sleep } from 'node:timers/promises';

/** The queue on the clock, and the one that a process gets warm on before. */
export const MEASURED = 'measured';
export const WARM_UP = 'warm-up';

const JOB = 'welcome';
const CHUNK = 500;
const POLL_MS = 1;

/** One small object, one name. */
export function payload(index) {
  return { to: 'ada@example.com', n: index };
}

export function job(index, opts, data = payload(index)) {
  return opts === undefined ? { name: JOB, data } : { name: JOB, data, opts };
}

export function addOne(queue, index, opts) {
  return queue.add(JOB, payload(index), opts);
}

/** Adds `count` jobs in bulk, `each` at a time, one call after another. */
export async function addInBulk(queue, count, each, opts) {
  for (let from = 0; from < count; from += each) {
    const size = Math.min(each, count - from);
    await queue.addBulk(Array.from({ length: size }, (_, index) => job(from + index, opts)));
  }
}

/** Fills both queues, off the clock. */
export async function fill({ driver, jobs, warmUp }, opts) {
  for (const [name, count] of [
    [WARM_UP, warmUp],
    [MEASURED, jobs],
  ]) {
    const queue = await driver.queue(name);
    await addInBulk(queue, count, CHUNK, opts);
    await queue.close();
  }
}

/**
 * Works a queue off that has been filled, until all of it is acknowledged.
 *
 * @param {object} context
 * @param {string} name
 * @param {{ concurrency: number, handler?: (job: object) => Promise<unknown>, leave?: number }} options
 *   leave: how many jobs are left when the clock stops; the handler's count then decides alone
 */
export async function consumer({ driver, unfinished, processes }, name, { concurrency, handler, total }) {
  let handled = 0;
  let onHandled = () => undefined;
  const work = handler ?? (async () => undefined);
  const worker = await driver.worker(
    name,
    async (job) => {
      const value = await work(job);
      handled += 1;
      if (handled === total) onHandled();
      return value;
    },
    { concurrency },
  );
  return {
    async run() {
      const allHandled = new Promise((resolve) => (onHandled = resolve));
      worker.start();
      // Which process gets how many is not known beforehand.
      if (processes === 1) await allHandled;
      while ((await unfinished(name)) > 0) await sleep(POLL_MS * processes);
      return { jobs: handled };
    },
    close: () => worker.close(),
  };
}

/** A worker that has warmed up on one queue and stands ready at the other. */
export async function warmConsumer(context, options) {
  const warm = await consumer({ ...context, processes: 2 }, WARM_UP, { ...options, total: context.warmUp });
  await warm.run();
  await warm.close();
  return consumer(context, MEASURED, { ...options, total: context.jobs });
}
