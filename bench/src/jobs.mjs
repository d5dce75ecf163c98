import { setTimeout as sleep } from 'node:timers/promises';

/** The queue on the clock, and the one that a process gets warm on before. */
export const MEASURED = 'measured';
export const WARM_UP = 'warm-up';

const JOB = 'welcome';
/** Jobs of one call wherever the number does not matter. */
export const CHUNK = 500;
const POLL_MS = 2;

/** One small object, one name. */
export function payload(index) {
  return { to: 'ada@example.com', n: index };
}

/** @param {object | ((index: number) => object)} [opts] options of the job, or what makes them */
export function job(index, opts, data = payload(index)) {
  if (opts === undefined) return { name: JOB, data };
  return { name: JOB, data, opts: typeof opts === 'function' ? opts(index) : opts };
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

/**
 * Fills queues, off the clock.
 *
 * @param {import('../drivers/driver.d.ts').Driver} driver
 * @param {Record<string, number>} counts jobs by queue
 * @param {object | ((index: number) => object)} [opts] options of the jobs, or what makes them
 */
export async function fill(driver, counts, opts) {
  for (const [name, count] of Object.entries(counts)) {
    const queue = await driver.queue(name);
    await addInBulk(queue, count, CHUNK, opts);
    await queue.close();
  }
}

/** Polls until every job of the queue is acknowledged. */
export async function drained({ unfinished }, name, pollMs = POLL_MS) {
  while ((await unfinished(name)) > 0) await sleep(pollMs);
}
