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

/** What is to be sent, checked. */
export interface OutgoingRequest {
  readonly name: string;
  readonly data: unknown;
  readonly options: BulkJobOptions;
  readonly timeoutMs: number;
}

/** How long the id of a request stays taken after its end: it is only there to be found by, not to be unique for long. */
const ID_TTL_MS = 1_000;
/** How long Redis has for the last question before a request that is not known to be added counts as late, in ms. */
const LAST_LOOK_MS = 2_000;

/**
 * One `send`, from its job to the reply. The job has an id from here, so that it can be taken back by it at any time.
 */
export class Request {
  readonly #jobId: string;
  readonly #options: BulkJobOptions;
  readonly #abandoned = new AbortController();
  /** Monotonic ms. */
  readonly #deadline: number;
  #adding: Promise<Job> | undefined;
  /** Somebody else is to be told what comes of it, or nobody. */
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

  /** Adds the job, and tells the callback what comes of it. Never rejects. */
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
   * Nobody wants the reply any more: the job is cancelled wherever it is, if this request has added it; others may have
   * sent the same, and wait for its reply. Best effort: where Redis cannot be asked, it goes on unheard.
   *
   * @param error what the caller is told, where there is still one
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
      // There is no job, or nobody can be asked.
    }
  }

  /** The stored reply, or undefined where the job completed without one. */
  async #ask(): Promise<unknown> {
    const { name, data } = this.outgoing;
    // Not before the subscriber has had a chance to leave.
    await Promise.resolve();
    if (this.#isSettled) return undefined;
    this.#adding = this.queue.add(name, data, this.#options);
    // One that has ended already is answered like the others: its reply is stored, or why there is none.
    await this.#inTime(this.#adding);
    const timeoutMs = Math.max(0, Math.ceil(this.#deadline - performance.now()));
    return this.queue.waitForResult(this.#jobId, { timeoutMs, signal: this.#abandoned.signal });
  }

  /**
   * @throws RequestTimeoutError where it took too long. Where this process was busy until now, its timers run before it
   * reads what Redis has answered; so it asks once more, and what was answered before is there.
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

  /** What the caller is told where no reply comes. */
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

/** Whether it is fulfilled already. @throws what it was rejected with */
async function isSettledNow(promise: Promise<void>): Promise<boolean> {
  const not = Symbol();
  return (await Promise.race([promise, Promise.resolve(not)])) !== not;
}
