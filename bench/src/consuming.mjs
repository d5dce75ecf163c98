import { addInBulk, CHUNK, drained, fill, MEASURED, WARM_UP } from './jobs.mjs';
import { untilWarm } from './warm-up.mjs';

/** With several processes nobody knows which handles how many, so all of them ask the server. */
const SHARED_POLL_MS = 5;
const CHUNKS_AT_ONCE = 10;

/**
 * A scenario that works a filled queue off. The queue is filled by another process, and this one gets warm on a
 * queue of its own; the clock runs from the start of the worker until the last job is acknowledged.
 *
 * @param {object} options
 * @param {number} options.concurrency
 * @param {(context: object) => object | ((index: number) => object) | undefined} [options.jobOptions]
 * @param {(context: object) => (job: object) => Promise<unknown>} [options.handler]
 * @param {(context: object) => object} [options.workerOptions] more of what the driver's worker takes
 * @param {(context: object) => number} [options.backlog] jobs waiting at first, when not all of them are on the clock
 */
export function consuming({ concurrency, jobOptions, handler, workerOptions, backlog }) {
  return {
    exactly: backlog ? undefined : ({ jobs }) => jobs,

    prepare: (context) => {
      const waiting = backlog?.(context) ?? context.jobs;
      return fill(context.driver, { [MEASURED]: waiting }, jobOptions?.(context));
    },

    async open(context) {
      const work = handler?.(context);
      const options = { concurrency, ...workerOptions?.(context) };
      await warmUp(context, { ...options, work, opts: jobOptions?.(context) });

      const worker = await startable(context, MEASURED, options, work);
      return {
        async run() {
          const handled = context.processes === 1 ? worker.handled(context.jobs) : Promise.resolve();
          worker.start();
          await handled;
          if (!backlog) await drained(context, MEASURED, context.processes === 1 ? 1 : SHARED_POLL_MS);
          return { jobs: worker.count() };
        },
        close: () => worker.close(),
      };
    },
  };
}

/** Adds and works off, again and again, on a queue of its own for each process. */
export async function warmUp(context, { work, opts, ...options }) {
  const name = `${WARM_UP}-${process.pid}`;
  const queue = await context.driver.queue(name);
  const worker = await startable(context, name, options, work);
  worker.start();
  await untilWarm(context.warmUpMs, async () => {
    for (let turn = 0; turn < CHUNKS_AT_ONCE; turn += 1) await addInBulk(queue, CHUNK, CHUNK, opts);
    await drained(context, name);
  });
  await worker.close();
  await queue.close();
}

async function startable({ driver }, name, options, work = async () => undefined) {
  let count = 0;
  let target;
  let reached;
  const worker = await driver.worker(
    name,
    async (job) => {
      const value = await work(job);
      // A worker with batches gets an array.
      count += Array.isArray(job) ? job.length : 1;
      if (count === target) reached();
      return value;
    },
    options,
  );
  return {
    start: worker.start,
    close: worker.close,
    count: () => count,
    handled: (total) =>
      new Promise((resolve) => {
        target = total;
        reached = resolve;
      }),
  };
}
