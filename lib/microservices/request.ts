import { RpcException, type WritePacket } from '@nestjs/microservices';
import { ulid } from 'ulid';
import {
  JobFailedError,
  JobGoneError,
  WaitForResultTimeoutError,
  type BulkJobOptions,
  type Job,
  type Queue,
} from '../engine/index.js';
import { settlesWithin, Timer } from '../engine/base/deadline.js';
import { unknownAnswer } from './answer.js';
import { NoReplyError, RequestTimeoutError } from './errors.js';
import { isReply } from './reply.js';

/** A checked request. */
export interface OutgoingRequest {
  readonly name: string;
  readonly data: unknown;
  readonly options: BulkJobOptions;
  readonly timeoutMs: number;
}

/** How long the id of a request stays taken after its end. The id only has to find the job, so a short time is enough. */
const ID_TTL_MS = 1_000;
/** How long to wait for the last check, whether the request was added, before it counts as late, in ms. */
const LAST_LOOK_MS = 2_000;

/**
 * One `send`, from its job to its reply. This class chooses the id of the job, so that it can cancel the job at any time.
 */
export class Request {
  readonly #jobId: string;
  readonly #options: BulkJobOptions;
  readonly #abandoned = new AbortController();
  /** Monotonic ms. */
  readonly #deadline: number;
  #adding: Promise<Job> | undefined;
  /** True if the callback must not be called any more. */
  #isSettled = false;

  constructor(
    private readonly queue: Queue,
    private readonly outgoing: OutgoingRequest,
    private readonly callback: (packet: WritePacket) => void,
  ) {
    const { options, timeoutMs } = outgoing;
    const { jobId = ulid() } = options;
    this.#jobId = jobId;
    this.#options = options.jobId === undefined ? { ...options, jobId, dedupTtlMs: ID_TTL_MS } : options;
    this.#deadline = performance.now() + timeoutMs;
  }

  /** Adds the job, and calls back with the reply or the error. Never rejects. */
  async send(): Promise<void> {
    try {
      this.#deliver(await this.#ask());
    } catch (error) {
      if (error instanceof WaitForResultTimeoutError) await this.abandon(this.#timeout());
      else if (error instanceof RequestTimeoutError) await this.abandon(error);
      else this.#fail(this.#failure(error));
    }
  }

  /**
   * Gives the request up. It cancels the job if this request has added it: other callers may have sent the same job and
   * wait for its reply. Best effort: if Redis cannot be reached, the job runs, and nobody gets the reply.
   *
   * @param error the error for the caller; undefined if the caller has unsubscribed
   */
  async abandon(error?: unknown): Promise<void> {
    if (this.#isSettled) return;
    if (error === undefined) this.#isSettled = true;
    else this.#fail(error);
    this.#abandoned.abort();
    try {
      const job = await this.#adding;
      if (job && !job.duplicate) await this.queue.cancel(this.#jobId);
    } catch {
      // There is no job, or Redis cannot be reached.
    }
  }

  /** The stored reply, or undefined if the job completed without one. */
  async #ask(): Promise<unknown> {
    const { name, data } = this.outgoing;
    // Give the subscriber a chance to unsubscribe first.
    await Promise.resolve();
    if (this.#isSettled) return undefined;
    this.#adding = this.queue.add(name, data, this.#options);
    // A job that has ended already needs no other path: Redis stores its reply, or the reason why there is none.
    await this.#inTime(this.#adding);
    const timeoutMs = Math.max(0, Math.ceil(this.#deadline - performance.now()));
    return this.queue.waitForResult(this.#jobId, { timeoutMs, signal: this.#abandoned.signal });
  }

  /**
   * Waits for the add. If this process was busy, its timers run before it reads the replies of Redis. So after the
   * deadline it makes one more call, and reads the earlier replies with it.
   * @throws RequestTimeoutError if the add took too long
   */
  async #inTime(adding: Promise<Job>): Promise<void> {
    let timer: Timer | undefined;
    let isAdded = false;
    const added = adding.then(() => {
      isAdded = true;
    });
    const late = new Promise<unknown>((resolve) => {
      timer = new Timer(this.#deadline - performance.now(), () => {
        resolve(undefined);
      });
      this.#abandoned.signal.addEventListener('abort', resolve, { once: true });
    });
    try {
      await Promise.race([added, late]);
    } finally {
      timer?.clear();
    }
    if (isAdded || this.#isSettled) return;
    if (this.queue.connectionInfo.status === 'ready') {
      const answer = this.queue.getJobResult(this.#jobId);
      await Promise.race([added, settlesWithin(answer, LAST_LOOK_MS)]);
    }
    if (!(await isSettledNow(added))) throw this.#timeout();
  }

  #deliver(reply: unknown): void {
    if (this.#isSettled) return;
    if (!isReply(reply)) {
      this.#fail(this.#noReply());
      return;
    }
    for (const response of reply.$reply) this.callback({ response });
    if ('error' in reply) this.#fail(new RpcException(reply.error as string | object));
    else this.#end({ isDisposed: true });
  }

  /** The error for the caller if no reply comes. */
  #failure(error: unknown): unknown {
    if (error instanceof JobGoneError && error.reason === 'unknown') return this.#noReply(error);
    if (!(error instanceof JobFailedError) && !(error instanceof JobGoneError)) return error;
    const exception = new RpcException(unknownAnswer(this.#jobId));
    exception.cause = error;
    return exception;
  }

  #noReply(cause?: unknown): NoReplyError {
    return new NoReplyError(this.queue.name, this.outgoing.name, this.#jobId, { cause });
  }

  #timeout(): RequestTimeoutError {
    const { name, timeoutMs } = this.outgoing;
    return new RequestTimeoutError(this.queue.name, name, this.#jobId, timeoutMs);
  }

  #fail(err: unknown): void {
    this.#end({ err, isDisposed: true });
  }

  #end(packet: WritePacket): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.callback(packet);
  }
}

/** Whether the promise is fulfilled already. @throws its error, if it is rejected */
async function isSettledNow(promise: Promise<void>): Promise<boolean> {
  const not = Symbol();
  return (await Promise.race([promise, Promise.resolve(not)])) !== not;
}
