import { settlesWithin } from '../engine/base/deadline.js';
import { toError } from '../engine/base/thrown.js';
import { ConnectionError } from '../engine/index.js';
import type { Queue } from '../engine/index.js';
import { answering } from './board-error.js';

/** A read that takes longer than this, in ms, is answered with an error: the board asks again every few seconds. */
const READ_MS = 5_000;

type Totals = Awaited<ReturnType<Queue['readTotals']>>;
type Limits = Awaited<ReturnType<Queue['readLimits']>>;

/** The calls of the board to one queue. Requests that ask for the same at once share a call. */
export class BoardReads {
  readonly #queue: Queue;
  #trouble: Error | undefined;
  /** For all of: counts, the pause, the number of schedules. */
  readonly totals: () => Promise<Totals>;
  /** For all of: global concurrency, rate limit, and for how long it lets nothing start. */
  readonly limits: () => Promise<Limits>;

  constructor(queue: Queue) {
    this.#queue = queue;
    this.limits = sharing(() => this.read(() => queue.readLimits()));
    this.totals = sharing(async () => {
      try {
        const totals = await this.read(() => queue.readTotals());
        this.#trouble = undefined;
        return totals;
      } catch (error) {
        this.#trouble = toError(error);
        throw error;
      }
    });
  }

  /** Why the last read of the counts failed; undefined if it did not. */
  get trouble(): Error | undefined {
    return this.#trouble;
  }

  /** Reads, or says soon why that does not work. While the connection is down, nothing waits for it. */
  read<T>(call: () => Promise<T>): Promise<T> {
    return this.change(async () => {
      const reply = call();
      if (await settlesWithin(reply, READ_MS)) return reply;
      const { address } = this.#queue.connectionInfo;
      throw new ConnectionError(`Redis at ${address} did not answer within ${String(READ_MS)} ms.`);
    });
  }

  /** Changes something, or says at once that the connection is down. A change may take as long as it takes. */
  change<T>(call: () => Promise<T>): Promise<T> {
    return answering(() => {
      const { address, status, lastError } = this.#queue.connectionInfo;
      if (lastError !== undefined && status !== 'ready') {
        return Promise.reject(new ConnectionError(`Redis at ${address} cannot be reached: ${lastError}`));
      }
      return call();
    });
  }
}

/** Callers get the promise of the call that is under way. */
function sharing<T>(call: () => Promise<T>): () => Promise<T> {
  let shared: Promise<T> | undefined;
  return () => {
    if (shared) return shared;
    const reply = call();
    shared = reply;
    const forget = (): void => {
      if (shared === reply) shared = undefined;
    };
    reply.then(forget, forget);
    return reply;
  };
}
