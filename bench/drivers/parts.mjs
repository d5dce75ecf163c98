import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Queue } from 'nestjs-chasqui/engine';
import { openDriver as openEngine } from './chasqui.mjs';

/** What a part that nobody needs may cost; less cannot be told from noise. */
const NOTHING = 1.1;
const POLL_MS = 1_000;

const noop = () => undefined;

/**
 * Optional parts of a worker, none of which the jobs need. One that is there by default is switched off by its options,
 * any other on.
 */
export const PARTS = {
  control: { title: 'nothing (the noise of this table)', options: {} },
  events: { title: 'events', byDefault: true, options: { eventsEnabled: false } },
  listener: { title: 'a `QueueEvents` in another process', attach: startListener },
  results: { title: '`storeResults`, nothing returned', target: NOTHING, options: { storeResults: true } },
  metrics: {
    title: 'a metrics sink',
    target: NOTHING,
    options: {
      metrics: {
        promoterTick: noop,
        promoterLockOutcome: noop,
        schedulerTick: noop,
        schedulerLockOutcome: noop,
        readerBatch: noop,
        jobOutcome: noop,
        retryScheduled: noop,
        dlqRouted: noop,
        dlqEvicted: noop,
        leaseLost: noop,
      },
    },
  },
  telemetry: {
    title: 'a telemetry that observes nothing',
    target: NOTHING,
    options: { telemetry: { producer: () => ({}), worker: () => ({}) } },
  },
  promoter: {
    title: 'promoter and scheduler',
    byDefault: true,
    target: NOTHING,
    options: { delayedEnabled: false, runScheduler: false },
  },
  backoff: {
    title: 'named backoff strategies',
    target: NOTHING,
    options: { backoffStrategies: { soon: () => 10, later: (attempt) => 1_000 * attempt } },
  },
  batches: {
    title: '`batches` of 50, instead of one job at a time',
    target: NOTHING,
    options: { batches: { size: 50 } },
  },
  health: { title: 'health asked once a second', target: NOTHING, attach: pollHealth },
};

/**
 * This project with one part switched on, or off.
 *
 * @param {{ port: number }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port }) {
  const engine = openEngine({ port });
  return {
    ...engine,

    async worker(name, handler, { part, ...rest }) {
      const { options: more, attach } = PARTS[part];
      const worker = await engine.worker(name, handler, { ...rest, more });
      const detach = await attach?.({ port, name, worker });
      return {
        start: worker.start,
        async close() {
          await detach?.();
          await worker.close();
        },
      };
    },
  };
}

/** Another process, whose processor time is its own. */
async function startListener({ port, name }) {
  const child = fork(fileURLToPath(new URL('./listener.mjs', import.meta.url)), [String(port), name]);
  await once(child, 'message');
  return async () => {
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
}

/** What a health check asks for. */
async function pollHealth({ port, name, worker }) {
  const queue = new Queue(name, { connection: { host: '127.0.0.1', port } });
  const poll = async () => {
    worker.health();
    await queue.ping();
    await queue.getBacklog();
  };
  await poll();
  const timer = setInterval(poll, POLL_MS);
  return async () => {
    clearInterval(timer);
    await queue.close();
  };
}
