import type { QueueKeys } from '../redis/keys.js';
import { CommandLink } from './connections.js';
import { ENDED_WAITERS_MS, readEnded } from './ended.js';
import type { QueueOptions, WaitForResultOptions } from './options.js';
import { decodePayload } from './payload.js';
import { QueueEvents } from './queue-events.js';
import { StreamFeed } from './stream-feed.js';
import { Waits } from './waits.js';

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

/** How often to look for results all the same, in ms: workers of other makes tell of none in our way. */
const LOOK_MS = 2_000;

/**
 * Reads stored results, and waits for them: says in Redis that somebody waits, and the scripts that end jobs then tell
 * of it in a stream of its own. Reading all events for the few that matter would cost several times as much.
 */
export class ResultReader {
  readonly #queue: string;
  readonly #keys: QueueKeys;
  readonly #link: CommandLink;
  readonly #options: QueueOptions;
  readonly #waits: Waits;
  #wanted: Wanted[] = [];
  /** Waits that have not looked yet. */
  #fresh: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Found ended by a look, and not told of so far: their entries may be on their way. */
  readonly #untold = new Set<string>();
  /** Monotonic ms at which it was said last that somebody waits. */
  #saidAt = -Infinity;
  #feed: StreamFeed | undefined;
  #events: QueueEvents | undefined;

  constructor(queue: string, keys: QueueKeys, link: CommandLink, options: QueueOptions) {
    this.#queue = queue;
    this.#keys = keys;
    this.#link = link;
    this.#options = options;
    this.#waits = new Waits(queue, () => {
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
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

  wait(jobId: string, options: WaitForResultOptions): Promise<unknown> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason as Error);
    this.#timer ??= setInterval(this.#lookForAll, LOOK_MS);
    // Listening first and looking second: a result that is stored in between is seen by one of the two.
    if (this.#fresh.push(jobId) === 1) {
      this.#sayThatSomebodyWaits();
      this.#listen().then(this.#lookForFresh, this.#refuseFresh);
    }
    return this.#waits.add(jobId, options);
  }

  /** Ends what waits, with a ShutdownError. */
  async close(): Promise<void> {
    this.#waits.close();
    await Promise.all([this.#feed?.close(), this.#events?.close()]);
  }

  readonly #lookForFresh = (): void => {
    // At the end of the tick: those who begin to wait in it look together.
    process.nextTick(() => {
      const jobIds = this.#takeFresh().filter((jobId) => this.#waits.has(jobId));
      if (jobIds.length === 0) return;
      this.#look(jobIds).catch((error: unknown) => {
        for (const jobId of jobIds) this.#waits.rejected(jobId, error);
      });
    });
  };

  readonly #refuseFresh = (error: unknown): void => {
    for (const jobId of this.#takeFresh()) this.#waits.rejected(jobId, error);
  };

  #takeFresh(): string[] {
    const jobIds = this.#fresh;
    this.#fresh = [];
    return jobIds;
  }

  readonly #lookForAll = (): void => {
    this.#sayThatSomebodyWaits();
    // Since the last look the feed has not told of them: a worker of another make, which only writes events.
    if (this.#untold.size > 0) this.#followEvents();
    this.#untold.clear();
    this.#look(this.#waits.jobIds).then(
      (found) => {
        for (const jobId of found) this.#untold.add(jobId);
      },
      // The next look comes soon, and each wait has a deadline of its own.
      () => undefined,
    );
  };

  /** Ends the waits for those that have ended; resolves with their ids. */
  async #look(jobIds: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    const ends = await this.#endsOf(jobIds);
    ends.forEach(({ value, reason }, index) => {
      const jobId = jobIds[index] as string;
      if (!this.#waits.has(jobId) || (!value && reason === undefined)) return;
      found.push(jobId);
      if (value) this.#waits.completed(jobId, () => decodePayload(value));
      else this.#waits.died(jobId, reason ?? '');
    });
    return found;
  }

  /** Resolves when nothing is missed from now on. */
  #listen(): Promise<void> {
    if (!this.#feed) {
      const { connection, connectTimeoutMs } = this.#options;
      this.#feed = new StreamFeed({
        link: new CommandLink(connection, { connectTimeoutMs }),
        stream: this.#keys.ended,
        what: 'results',
        lastId: '$',
        connectTimeoutMs,
        onEntry: ([, fields]) => {
          this.#onEnded(fields);
        },
        // It goes on by itself; meanwhile there are the looks.
        onError: () => undefined,
      });
      this.#feed.run().catch(() => undefined);
    }
    return this.#feed.waitUntilReady();
  }

  /** Not awaited: what is asked next on this connection is answered after it. */
  #sayThatSomebodyWaits(): void {
    const now = performance.now();
    if (now - this.#saidAt < ENDED_WAITERS_MS / 2) return;
    this.#saidAt = now;
    this.#link.call('SET', [this.#keys.waiters, 1, 'PX', ENDED_WAITERS_MS]).catch(() => {
      this.#saidAt = -Infinity;
    });
  }

  #onEnded(fields: readonly Buffer[]): void {
    readEnded(fields, {
      isAwaited: (jobId) => {
        this.#untold.delete(jobId);
        return this.#waits.has(jobId);
      },
      completed: (jobId, value) => {
        if (value === 'stored') this.#readStored(jobId);
        else this.#waits.completed(jobId, () => (value ? decodePayload(value) : undefined));
      },
      died: (jobId, reason) => {
        this.#waits.died(jobId, reason);
      },
    });
  }

  #readStored(jobId: string): void {
    this.#read(jobId).then(
      ({ value }) => {
        this.#waits.completed(jobId, () => (value ? decodePayload(value) : undefined));
      },
      (error: unknown) => {
        this.#waits.rejected(jobId, error);
      },
    );
  }

  #followEvents(): void {
    if (this.#events) return;
    const { connection, connectTimeoutMs } = this.#options;
    this.#events = new QueueEvents(this.#queue, {
      connection,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    });
    this.#events.on('completed', ({ jobId }) => {
      if (this.#waits.has(jobId)) this.#readStored(jobId);
    });
    this.#events.on('dlq', ({ jobId, reason }) => {
      this.#waits.died(jobId, reason);
    });
    this.#events.on('failed', ({ jobId, failedReason, cancelled = false }) => {
      if (cancelled) this.#waits.died(jobId, failedReason);
    });
    this.#events.on('error', () => undefined);
  }
}
