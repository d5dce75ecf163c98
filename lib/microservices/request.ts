import { RpcException, type WritePacket } from '@nestjs/microservices';
import { ulid } from 'ulid';
import { JobFailedError, ShutdownError, type BulkJobOptions, type Queue } from '../engine/index.js';
import { unknownAnswer } from './answer.js';
import { NoReplyError, RequestTimeoutError } from './errors.js';
import { isReply } from './reply.js';
import type { Ending, ReplyListener } from './reply-listener.js';

/** What is to be sent, checked. */
export interface OutgoingRequest {
  readonly name: string;
  readonly payload: unknown;
  readonly options: BulkJobOptions;
  readonly timeoutMs: number;
}

/** How long the id of a request stays taken after its end: it is only there to be found by, not to be unique for long. */
const ID_TTL_MS = 1_000;

/**
 * One `send`, from its job to the reply. The job has an id from here, so that its end can be listened for before it is
 * added, and so that it can be taken back by its id.
 */
export class Request {
  readonly #jobId: string;
  readonly #options: BulkJobOptions;
  readonly #timer: NodeJS.Timeout;
  #stopListening = (): void => undefined;
  /** Ours, in Redis, and not known to have ended. */
  #added = false;
  #isSettled = false;

  constructor(
    private readonly queue: Queue,
    private readonly replies: ReplyListener,
    private readonly message: OutgoingRequest,
    private readonly callback: (packet: WritePacket) => void,
  ) {
    const { options, name, timeoutMs } = message;
    const { jobId = ulid() } = options;
    this.#jobId = jobId;
    this.#options = options.jobId === undefined ? { ...options, jobId, dedupTtlMs: ID_TTL_MS } : options;
    this.#timer = setTimeout(() => {
      this.#fail(new RequestTimeoutError(queue.name, name, jobId, timeoutMs));
      this.#cancel();
    }, timeoutMs);
  }

  /** Adds the job. Never rejects: what goes wrong, the callback is told. */
  async send(): Promise<void> {
    try {
      await this.replies.ready();
      if (this.#isSettled) return;
      this.#stopListening = this.replies.listen(this.#jobId, (ending) => {
        this.#end(ending);
      });
      const { name, payload } = this.message;
      const { duplicate } = await this.queue.add(name, payload, this.#options);
      this.#added = !duplicate;
      if (this.#isSettled) this.#cancel();
      // Somebody has sent this request before. It may have been answered already; else its reply is waited for.
      else if (duplicate) await this.#deliverIfStored();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Nobody wants the reply any more. */
  abandon(): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#cancel();
  }

  #end(ending: Ending): void {
    this.#added = false;
    switch (ending.kind) {
      case 'completed':
        this.#deliver().catch((error: unknown) => {
          this.#fail(error);
        });
        return;
      case 'dead':
        this.#fail(this.#failure(ending.reason, ending.detail));
        return;
      case 'closed':
        this.#fail(new ShutdownError('The client was closed before the reply came.'));
    }
  }

  async #deliver(): Promise<void> {
    if (await this.#deliverIfStored()) return;
    this.#fail(new NoReplyError(this.queue.name, this.message.name, this.#jobId));
  }

  async #deliverIfStored(): Promise<boolean> {
    const reply = await this.queue.getJobResult(this.#jobId);
    if (!isReply(reply)) return false;
    if (this.#isSettled) return true;
    for (const response of reply.$reply) this.callback({ response });
    if ('error' in reply) this.#fail(new RpcException(reply.error as string | object));
    else this.#complete();
    return true;
  }

  #failure(reason: string, detail: string | undefined): RpcException {
    const error = new RpcException(unknownAnswer(this.#jobId));
    error.cause = new JobFailedError(
      `Request "${this.message.name}" (job ${this.#jobId} of queue "${this.queue.name}") failed for good: ${reason}` +
        `${detail === undefined ? '' : ` (${detail})`}.`,
    );
    return error;
  }

  #complete(): void {
    this.#settle();
    this.callback({ isDisposed: true });
  }

  #fail(err: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.callback({ err, isDisposed: true });
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#stopListening();
  }

  /**
   * Wherever the job is. Only by who added it: others may have sent the same, and wait for its reply. Best effort: where
   * Redis cannot be asked, it goes on unheard.
   */
  #cancel(): void {
    if (!this.#added) return;
    this.#added = false;
    this.queue.cancel(this.#jobId).catch(() => undefined);
  }
}
