import { createRequire } from 'node:module';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const { version } = createRequire(import.meta.url)('bullmq/package.json');

/**
 * BullMQ behind the interface of a driver.
 *
 * `tuned` is what its documentation advises for throughput: finished jobs are removed ("Auto-removal of jobs") and one
 * connection is shared by queues and workers ("Reusing connections"). Locks and stalled checks stay on, as they do for
 * us.
 *
 * @param {{ port: number, tuned?: boolean }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port, tuned = false }) {
  const address = { host: '127.0.0.1', port };
  const shared = tuned ? new Redis({ ...address, maxRetriesPerRequest: null }) : undefined;
  const connection = shared ?? address;
  const removal = tuned ? { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } } : {};
  const listeners = new Map();

  return {
    version,

    async queue(name) {
      const queue = new Queue(name, { connection });
      // It adds a listener to the queue for each result that is awaited.
      queue.setMaxListeners(0);
      await queue.waitUntilReady();
      return queue;
    },

    async worker(name, handler, { concurrency, limiter }) {
      const limits = limiter ? { limiter } : {};
      const options = { connection, concurrency, autorun: false, ...removal, ...limits };
      const worker = new Worker(name, handler, options);
      worker.on('error', fail);
      await worker.waitUntilReady();
      return {
        start: () => void worker.run().catch(fail),
        close: () => worker.close(),
      };
    },

    isFirstAttempt: (job) => job.attemptsMade === 0,

    retryOnce: { attempts: 2, backoff: { type: 'fixed', delay: 1 } },

    repeat: (queue, key, every) => queue.upsertJobScheduler(key, { every }, { name: 'welcome', data: {} }),

    /** BullMQ keeps the return value of a job as part of it. */
    storeResults: {},

    async resultOf(queue, job) {
      let events = listeners.get(queue.name);
      if (!events) {
        events = new QueueEvents(queue.name, { connection });
        events.setMaxListeners(0);
        listeners.set(queue.name, events);
      }
      await events.waitUntilReady();
      return job.waitUntilFinished(events);
    },

    unfinished(redis, name) {
      const key = (suffix) => `bull:${name}:${suffix}`;
      return redis
        .pipeline()
        .llen(key('wait'))
        .llen(key('active'))
        .zcard(key('delayed'))
        .zcard(key('prioritized'))
        .exec()
        .then((replies) => replies.reduce((sum, [error, count]) => sum + (error ? 0 : count), 0));
    },

    delayed: (redis, name) => redis.zcard(`bull:${name}:delayed`),

    async close() {
      await Promise.all([...listeners.values()].map((events) => events.close()));
      shared?.disconnect();
    },
  };
}

function fail(error) {
  throw error;
}
