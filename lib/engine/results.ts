import type { QueueKeys } from '../redis/keys.js';
import type { CommandLink } from './connections.js';
import { JobFailedError, ShutdownError, WaitForResultTimeoutError } from './errors.js';
import type { QueueOptions, WaitForResultOptions } from './options.js';
import { decodePayload } from './payload.js';
import { QueueEvents } from './queue-events.js';

type Outcome = 'completed' | 'dead' | 'closed';

/** Neither of the two where it has not, or nobody remembers. */
interface Ended {
  /** MessagePack of the stored result. */
  value?: Buffer | undefined;
  /** Why it is a dead letter, or that it was cancelled. */
  reason?: string | undefined;
}

interface Wanted {
  jobId: string;
  resolve: (ended: Ended) => void;
  reject: (error: unknown) => void;
}

/** How often to look for a result all the same, in ms: its worker may run with events off. */
const LOOK_MS = 2_000;

/** Reads stored results, and waits for them woken by the queue's events; subscribes when the first one waits. */
export class ResultReader {
  readonly #queue: string;
  readonly #keys: QueueKeys;
  readonly #link: CommandLink;
  readonly #options: QueueOptions;
  readonly #waiting = new Map<string, Set<(outcome: Outcome, reason: string) => void>>();
  #wanted: Wanted[] = [];
  #timer: NodeJS.Timeout | undefined;
  #events: QueueEvents | undefined;

  constructor(queue: string, keys: QueueKeys, link: CommandLink, options: QueueOptions) {
    this.#queue = queue;
    this.#keys = keys;
    this.#link = link;
    this.#options = options;
  }

  /** Reads of one tick share a round trip. */
  async get(jobId: string): Promise<unknown> {
    const { value } = await this.#read(jobId);
    return value ? decodePayload(value) : undefined;
  }

  #read(jobId: string): Promise<Ended> {
    return new Promise((resolve, reject) => {
      if (this.#wanted.push({ jobId, resolve, reject }) === 1) process.nextTick(this.#readWanted);
    });
  }

  readonly #readWanted = (): void => {
    const wanted = this.#wanted;
    this.#wanted = [];
    this.#endsOf(wanted.map(({ jobId }) => jobId)).then(
      (ends) => {
        wanted.forEach(({ resolve }, index) => {
          resolve(ends[index] ?? {});
        });
      },
      (error: unknown) => {
        for (const { reject } of wanted) reject(error);
      },
    );
  };

  /** How each of the jobs has ended, as far as Redis remembers. */
  async #endsOf(jobIds: readonly string[]): Promise<Ended[]> {
    const keys = [...jobIds.map((id) => this.#keys.result(id)), ...jobIds.map((id) => this.#keys.failed(id))];
    const reply = (await this.#link.callBuffer('MGET', keys)) as (Buffer | null)[];
    return jobIds.map((_, index) => ({
      value: reply[index] ?? undefined,
      reason: reply[jobIds.length + index]?.toString(),
    }));
  }

  /** MessagePack per id, in order; undefined where nothing is stored. */
  async getBytes(jobIds: readonly string[]): Promise<(Buffer | undefined)[]> {
    if (jobIds.length === 0) return [];
    const reply = (await this.#link.callBuffer(
      'MGET',
      jobIds.map((id) => this.#keys.result(id)),
    )) as (Buffer | null)[];
    return reply.map((value) => value ?? undefined);
  }

  async wait(jobId: string, { timeoutMs = 30_000, signal }: WaitForResultOptions): Promise<unknown> {
    signal?.throwIfAborted();
    let stop = (): void => undefined;
    const ended = new Promise<unknown>((resolve, reject) => {
      const onEvent = (outcome: Outcome, reason: string): void => {
        if (outcome === 'completed') resolve(this.get(jobId));
        else if (outcome === 'closed') reject(new ShutdownError(`Queue "${this.#queue}" was closed.`));
        else reject(new JobFailedError(`Job ${jobId} of queue "${this.#queue}" failed for good: ${reason}.`));
      };
      const onAbort = (): void => {
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        reject(
          new WaitForResultTimeoutError(
            `No result of job ${jobId} of queue "${this.#queue}" within ${String(timeoutMs)} ms. It may still run; ` +
              'or its worker runs without storeResults, or the result has expired.',
          ),
        );
      }, timeoutMs);
      const waiting = this.#waiting.get(jobId) ?? new Set();
      waiting.add(onEvent);
      this.#waiting.set(jobId, waiting);
      this.#timer ??= setInterval(this.#lookForAll, LOOK_MS);
      signal?.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        waiting.delete(onEvent);
        if (waiting.size === 0) this.#waiting.delete(jobId);
        if (this.#waiting.size === 0) this.#stopLooking();
      };
      // Listening first and looking second: a result that is stored in between is seen by one of the two.
      this.#subscribe()
        .then(async () => {
          const { value, reason } = await this.#read(jobId);
          if (value) resolve(decodePayload(value));
          else if (reason !== undefined) onEvent('dead', reason);
        })
        .catch(reject);
    });
    try {
      return await ended;
    } finally {
      stop();
    }
  }

  /** Ends what waits, with a ShutdownError. */
  async close(): Promise<void> {
    for (const listeners of this.#waiting.values()) for (const listener of listeners) listener('closed', '');
    this.#stopLooking();
    await this.#events?.close();
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #lookForAll = (): void => {
    const ids = [...this.#waiting.keys()];
    this.#endsOf(ids).then(
      (ends) => {
        ends.forEach(({ value, reason = '' }, index) => {
          if (!value && reason === '') return;
          const listeners = this.#waiting.get(ids[index] ?? '') ?? [];
          for (const listener of listeners) listener(value ? 'completed' : 'dead', reason);
        });
      },
      // The next look comes soon, and each wait has a deadline of its own.
      () => undefined,
    );
  };

  #subscribe(): Promise<void> {
    if (!this.#events) {
      const { connection, connectTimeoutMs } = this.#options;
      const events = new QueueEvents(this.#queue, {
        connection,
        ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      });
      events.on('completed', ({ jobId }) => {
        for (const listener of this.#waiting.get(jobId) ?? []) listener('completed', '');
      });
      events.on('dlq', ({ jobId, reason }) => {
        for (const listener of this.#waiting.get(jobId) ?? []) listener('dead', reason);
      });
      events.on('failed', ({ jobId, failedReason, cancelled = false }) => {
        if (!cancelled) return;
        for (const listener of this.#waiting.get(jobId) ?? []) listener('dead', failedReason);
      });
      events.on('error', () => undefined);
      this.#events = events;
    }
    return this.#events.waitUntilReady();
  }
}
