import type { QueueKeys } from '../redis/keys.js';
import type { CommandLink } from './connections.js';
import { JobFailedError, WaitForResultTimeoutError } from './errors.js';
import type { QueueOptions, WaitForResultOptions } from './options.js';
import { decodePayload } from './payload.js';
import { QueueEvents } from './queue-events.js';

type Outcome = 'completed' | 'dead';

/** Reads stored results, and waits for them woken by the queue's events; subscribes when the first one waits. */
export class ResultReader {
  readonly #queue: string;
  readonly #keys: QueueKeys;
  readonly #link: CommandLink;
  readonly #options: QueueOptions;
  readonly #waiting = new Map<string, Set<(outcome: Outcome, reason: string) => void>>();
  #events: QueueEvents | undefined;

  constructor(queue: string, keys: QueueKeys, link: CommandLink, options: QueueOptions) {
    this.#queue = queue;
    this.#keys = keys;
    this.#link = link;
    this.#options = options;
  }

  async get(jobId: string): Promise<unknown> {
    const [value] = await this.getBytes([jobId]);
    return value ? decodePayload(value) : undefined;
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
      signal?.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        waiting.delete(onEvent);
        if (waiting.size === 0) this.#waiting.delete(jobId);
      };
      // Listening first and looking second: a result that is stored in between is seen by one of the two.
      this.#subscribe()
        .then(async () => {
          const [value] = await this.getBytes([jobId]);
          if (value) resolve(decodePayload(value));
        })
        .catch(reject);
    });
    try {
      return await ended;
    } finally {
      stop();
    }
  }

  async close(): Promise<void> {
    await this.#events?.close();
  }

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
      events.on('error', () => undefined);
      this.#events = events;
    }
    return this.#events.waitUntilReady();
  }
}
