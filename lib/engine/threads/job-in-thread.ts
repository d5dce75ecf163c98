import type { MessagePort } from 'node:worker_threads';
import { EncodeError, JobStateError } from '../base/errors.js';
import { messageOf } from '../base/thrown.js';
import { EXTRAS } from '../codec/extras.js';
import { decodePayload } from '../codec/payload.js';
import { Job } from '../job/job.js';
import type { JobActions } from '../job/job-actions.js';
import type { JobOwner } from '../job/job-owner.js';
import type { FromThread, JobMessage, JobMethod, ToThread } from './messages.js';
import { fromThrownMessage, toThrownMessage } from './thrown-message.js';

interface Call {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls of methods of jobs that the process has not answered. */
export class JobCalls {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Call>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** @throws EncodeError (CMQ-002) for an argument that cannot leave the thread */
  send({ run, job: { id } }: JobInThread, method: JobMethod, args: readonly unknown[]): number {
    const call = ++this.#last;
    try {
      this.#port.postMessage({ kind: 'call', run, id, call, method, args } satisfies FromThread);
    } catch (error) {
      throw new EncodeError(`job.${method}: an argument cannot leave the thread: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return call;
  }

  ask<Result>(caller: JobInThread, method: JobMethod, args: readonly unknown[]): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(this.send(caller, method, args), { resolve, reject });
    });
  }

  heard(message: Extract<ToThread, { call: number }>): void {
    const call = this.#waiting.get(message.call);
    this.#waiting.delete(message.call);
    if (message.kind === 'returned') call?.resolve(message.value as never);
    else call?.reject(fromThrownMessage(message.error));
  }
}

/** A run of a job in this thread. Methods of the job are calls to the process, which has the connection. */
export class JobInThread {
  readonly job: Job;
  readonly #abort = new AbortController();
  #isOver = false;

  constructor(
    readonly run: number,
    message: JobMessage,
    calls: JobCalls,
  ) {
    const { queue, id, name, payload, opts, attemptsMade, timestamp, processedOn, extras } = message;
    const owner: JobOwner = {
      name: queue,
      actions: this.#actions(calls),
      signalOf: () => this.#abort.signal,
      discard: () => {
        this.#checkRuns(id, queue, 'discard');
        // Heard before the end of the run, because messages keep their order.
        calls.send(this, 'discard', []);
      },
      fail: (_context, error) => {
        this.#checkRuns(id, queue, 'fail');
        calls.send(this, 'fail', [toThrownMessage(error)]);
      },
    };
    const data = decodePayload(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    this.job = new Job(owner, { id, name, data, opts, attemptsMade, timestamp, delay: 0, context: this });
    this.job.processedOn = processedOn;
    if (extras) this.job[EXTRAS] = extras;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  ended(): void {
    this.#isOver = true;
  }

  #checkRuns(id: string, queue: string, what: string): void {
    if (!this.#isOver) return;
    throw new JobStateError(id, queue, 'unknown', what, 'Call it before the handler returns.');
  }

  /** Each action is a call of the method of that name, without the first argument: that is the job itself. */
  #actions(calls: JobCalls): JobActions {
    const call =
      (method: JobMethod) =>
      (_job: unknown, ...args: unknown[]): Promise<unknown> =>
        calls.ask(this, method, args);
    return new Proxy({} as JobActions, { get: (_target, method) => call(method as JobMethod) });
  }
}
