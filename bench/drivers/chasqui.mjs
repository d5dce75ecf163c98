import { createRequire } from 'node:module';
import * as current from 'nestjs-chasqui/engine';

const { version } = createRequire(import.meta.url)('../../package.json');

/**
 * This project behind the interface of a driver.
 *
 * `tracked` keeps what BullMQ keeps by default: every completed job, with its result.
 *
 * @param {{ port: number, events?: boolean, tracked?: boolean, telemetry?: object, engine?: typeof current }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port, events = true, tracked = false, telemetry, engine = current }) {
  const { Queue, Worker } = engine;
  // One object, so one command connection for all queues and workers of the process.
  const connection = { host: '127.0.0.1', port };
  const announce = { ...(events ? {} : { eventsEnabled: false }), ...(telemetry && { telemetry }) };

  return {
    version,

    async queue(name) {
      return new Queue(name, { connection, ...announce, ...(tracked && { trackJobs: true }) });
    },

    async worker(name, handler, { concurrency, storeResults = false, limiter, group, more }) {
      const results = storeResults ? { storeResults } : {};
      const worker = new Worker(name, handler, {
        connection,
        concurrency,
        autorun: false,
        ...results,
        ...announce,
        ...(limiter && { limiter }),
        ...(group && { group }),
        ...more,
      });
      worker.on('error', fail);
      return {
        start: () => void worker.run().catch(fail),
        close: () => worker.close(),
        health: () => worker.health(),
      };
    },

    isFirstAttempt: (job) => job.attemptsMade === 1,

    retryOnce: { attempts: 2, backoff: { type: 'fixed', delay: 1, jitterMs: 0 } },

    repeat: (queue, key, every) => queue.add('welcome', {}, { repeat: { every }, repeatJobKey: key }),

    storeResults: { storeResults: true },

    resultOf: (_queue, job) => job.waitForResult(),

    unfinished(redis, name) {
      const key = (suffix) => `{chasqui:${name}}:${suffix}`;
      return redis
        .pipeline()
        .xlen(key('stream'))
        .zcard(key('delayed'))
        .zcard(key('room'))
        .exec()
        .then((replies) => replies.reduce((sum, [error, count]) => sum + (error ? 0 : count), 0));
    },

    delayed: (redis, name) => redis.zcard(`{chasqui:${name}}:delayed`),

    async close() {},
  };
}

function fail(error) {
  throw error;
}
