import type { MessagePort } from 'node:worker_threads';
import { ConfigError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { messageOf } from '../base/thrown.js';
import { errorIn } from '../worker/run/returned.js';
import type { Job } from '../job/job.js';
import { JobCalls, JobInThread } from './job-in-thread.js';
import type { FromThread, ServeMessage, ToThread } from './messages.js';
import { loadExports } from './processor-file.js';
import { fromThrownMessage, toThrownMessage } from './thrown-message.js';

// The program of a thread. The pool calls the default export once.

type Handler = (job: Job, signal: AbortSignal) => unknown;

/** What a processor file exports. */
interface Program {
  readonly handler: Handler;
  readonly stop: () => unknown;
}

/** Boots the file, and runs the jobs that arrive at the port. Never returns: the process ends the thread. */
export default async function serve({ file, data, port }: ServeMessage): Promise<never> {
  const say = (message: FromThread): void => {
    port.postMessage(message);
  };
  try {
    const program = await boot(file, data);
    listen(port, program, say);
    say({ kind: 'ready' });
  } catch (error) {
    say({ kind: 'failed', error: toThrownMessage(error) });
  }
  return new Promise<never>(() => undefined);
}

async function boot(file: string, data: unknown): Promise<Program> {
  const exports = await loadExports(file);
  const { default: handler, onThreadStart, onThreadStop } = exports;
  if (typeof handler !== 'function') {
    throw new ConfigError(
      `"${printable(file)}" has no function as its default export: write export default async (job, signal) => …, or module.exports = async (job, signal) => …`,
    );
  }
  if (typeof onThreadStart === 'function') await (onThreadStart as (data: unknown) => unknown)(data);
  return {
    handler: handler as Handler,
    stop: typeof onThreadStop === 'function' ? (onThreadStop as () => unknown) : () => undefined,
  };
}

function listen(port: MessagePort, program: Program, say: (message: FromThread) => void): void {
  const calls = new JobCalls(port);
  let current: JobInThread | undefined;
  let running: Promise<unknown> = Promise.resolve();
  const on = (message: ToThread): void => {
    switch (message.kind) {
      case 'job':
        running = runJob(message);
        break;
      case 'abort':
        if (current?.run === message.run) current.abort(fromThrownMessage(message.reason));
        break;
      case 'close':
        void running.then(close);
        break;
      default:
        calls.heard(message);
    }
  };
  const runJob = async ({ run, job: received }: Extract<ToThread, { kind: 'job' }>): Promise<void> => {
    let inThread: JobInThread | undefined;
    try {
      inThread = current = new JobInThread(run, received, calls);
      const { job } = inThread;
      const value = await program.handler(job, job.signal);
      inThread.ended();
      const error = errorIn(value);
      if (error) say({ kind: 'thrown', run, error: toThrownMessage(error) });
      else done(run, value);
    } catch (error) {
      inThread?.ended();
      say({ kind: 'thrown', run, error: toThrownMessage(error) });
    }
  };
  const done = (run: number, value: unknown): void => {
    try {
      say({ kind: 'done', run, value });
    } catch (error) {
      say({ kind: 'done', run, value: undefined, lost: messageOf(error) });
    }
  };
  const close = async (): Promise<void> => {
    try {
      await program.stop();
      say({ kind: 'closed' });
    } catch (error) {
      say({ kind: 'closed', error: toThrownMessage(error) });
    }
  };
  port.on('message', on);
}
