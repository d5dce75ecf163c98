import { setTimeout as delay } from 'node:timers/promises';
import { hashOf } from './ledger.mjs';

export function createProcessor(ledger, add) {
  let release;
  const released = new Promise((resolve) => {
    release = resolve;
  });

  const tasks = {
    finish: () => undefined,
    sleep: ({ ms }) => delay(ms),
    // Its first attempt only: else it would block one worker after the other.
    block({ ms }, _signal, attempt) {
      const end = attempt > 1 ? 0 : Date.now() + ms;
      while (Date.now() < end);
    },
    fail() {
      throw new Error('as asked');
    },
    exit: () => process.exit(3),
    'exhaust-heap'() {
      const hog = [];
      for (;;) hog.push(new Array(10_000).fill(hog.length));
    },
    hold: (_task, signal) =>
      Promise.race([
        released,
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }),
      ]),
    'hold-deaf': () => released,
    async 'hold-then-fail'() {
      await released;
      throw new Error('as asked');
    },
    async 'hold-then-add'({ children }) {
      await released;
      for (const child of children) await add(child);
    },
  };

  const runOne = async (job, signal) => {
    const run = { attempt: job.attemptsMade, hash: hashOf(job.data) };
    ledger.write('START', job.id, run);
    signal.addEventListener('abort', () => {
      ledger.write('ABORT', job.id, { attempt: run.attempt, detail: signal.reason.name });
    });
    try {
      const value = await tasks[job.data.do](job.data, signal, run.attempt);
      ledger.write('FINISH', job.id, run);
      return value;
    } catch (error) {
      ledger.write('THROW', job.id, { ...run, detail: String(error) });
      throw error;
    }
  };

  /** With `batches`, each job of the batch does its own task, and fails by itself. */
  const processor = async (input, signal) => {
    if (!Array.isArray(input)) return runOne(input, signal);
    ledger.write('BATCH', '', { detail: String(input.length) });
    const results = await Promise.allSettled(input.map((job) => runOne(job, job.signal)));
    return results.map(({ value, reason }) => reason ?? value);
  };
  return { processor, gate: { release } };
}

export function recordEvents(worker, ledger) {
  worker.on('completed', (job) => ledger.write('COMPLETED', job.id, { attempt: job.attemptsMade }));
  worker.on('failed', (job) => ledger.write('FAILED', job.id, { attempt: job.attemptsMade }));
  worker.on('error', (error) => ledger.write('ERROR', '', { detail: `${error.name}: ${error.message}` }));
}
