import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import { JobFailedError, JobGoneError } from '../base/errors.js';
import { decodePayload } from '../codec/payload.js';
import type { QueueOptions, WaitForResultOptions } from '../config/options.js';
import { CommandLink } from '../connection/command-link.js';
import { StreamFeed } from '../connection/stream-feed.js';
import { WAITERS_TTL_MS, readEndedEntry } from './ended-entry.js';
import { ResultWaiters } from './result-waiters.js';
import { StoredResults } from './stored-results.js';
import type { StoredEnd } from './stored-results.js';

/** Time between two polls, in ms: third-party workers write no entries, and entries are trimmed. */
const POLL_MS = 2_000;
/** A queue that seems to hold no job is asked again after this time, in ms: the result may be stored just after the end. */
const CONFIRM_MS = 250;
/** Longest time that the poll before a timeout may take, in ms. */
const LAST_POLL_MS = 2_000;
/** One entry may cover hundreds of jobs. */
const ENTRIES_PER_READ = 20;

/**
 * Reads stored results, and waits for them. While a result waiter exists, a key in Redis says so, and the scripts that end
 * jobs then write to the stream `ended`, which this follows. Following the events of the queue instead would cost several
 * times as much. A poll finds the results that no entry announced.
 */
export class Results {
  readonly #queue: string;
  readonly #keys: QueueKeys;
  readonly #link: CommandLink;
  readonly #options: QueueOptions;
  readonly #stored: StoredResults;
  readonly #waiters: ResultWaiters;
  /** Jobs that have a waiter and have not been polled yet. */
  #unpolled: string[] = [];
  #pollTimer: NodeJS.Timeout | undefined;
  /** Jobs that the last poll did not find, in a queue that it found empty. */
  #absent = new Set<string>();
  #confirmTimer: NodeJS.Timeout | undefined;
  #feed: Promise<StreamFeed> | undefined;
  #isClosed = false;

  constructor(queue: string, keys: QueueKeys, link: CommandLink, options: QueueOptions) {
    this.#queue = queue;
    this.#keys = keys;
    this.#link = link;
    this.#options = options;
    this.#stored = new StoredResults(keys, link);
    this.#waiters = new ResultWaiters(queue, {
      lastPoll: (jobId) => this.#pollOnce(jobId),
      idle: () => {
        clearInterval(this.#pollTimer);
        clearTimeout(this.#confirmTimer);
        this.#pollTimer = undefined;
        this.#confirmTimer = undefined;
        this.#absent.clear();
      },
    });
  }

  /** Reads of one tick share a round trip. */
  async get(jobId: string): Promise<unknown> {
    const { value } = await this.#stored.read(jobId);
    return value ? decodePayload(value) : undefined;
  }

  /** MessagePack per id, in order; undefined where nothing is stored. */
  async getBytes(jobIds: readonly string[]): Promise<(Buffer | undefined)[]> {
    return (await this.#stored.readAll(jobIds)).map(({ value }) => value);
  }

  wait(jobId: string, options: WaitForResultOptions): Promise<unknown> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason as Error);
    this.#pollTimer ??= setInterval(this.#pollAll, POLL_MS);
    // The feed starts first and the poll follows, so one of the two sees a result that is stored in between.
    if (this.#unpolled.push(jobId) === 1) this.#listen().then(this.#pollNew, this.#refuseNew);
    return this.#waiters.add(jobId, options);
  }

  /** Rejects all waiters with a ShutdownError. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiters.close();
    const feed = await settled(this.#feed);
    await feed?.close();
  }

  readonly #pollNew = (): void => {
    // At the end of the tick: waiters that were added in it share a poll.
    process.nextTick(() => {
      const jobIds = this.#takeUnpolled().filter((jobId) => this.#waiters.has(jobId));
      if (jobIds.length === 0) return;
      this.#poll(jobIds).catch((error: unknown) => {
        for (const jobId of jobIds) this.#waiters.rejected(jobId, error);
      });
    });
  };

  readonly #refuseNew = (error: unknown): void => {
    for (const jobId of this.#takeUnpolled()) this.#waiters.rejected(jobId, error);
  };

  #takeUnpolled(): string[] {
    const jobIds = this.#unpolled;
    this.#unpolled = [];
    return jobIds;
  }

  readonly #pollAll = (): void => {
    // A failure is harmless: the next poll comes soon, and each waiter has a deadline of its own.
    this.#poll(this.#waiters.jobIds).catch(() => undefined);
  };

  /** Settles the waiters of the jobs that have ended. */
  async #poll(jobIds: readonly string[]): Promise<void> {
    const ends = await this.#stored.readAll(jobIds, true);
    ends.forEach((end, index) => {
      const jobId = jobIds[index] as string;
      this.#waiters.polled(jobId, end.newest);
      this.#found(jobId, end);
    });
    if (this.#absent.size > 0) {
      this.#confirmTimer ??= setTimeout(() => {
        this.#confirmTimer = undefined;
        for (const jobId of this.#absent) if (!this.#waiters.has(jobId)) this.#absent.delete(jobId);
        this.#poll([...this.#absent]).catch(() => undefined);
      }, CONFIRM_MS);
    }
  }

  /** The poll before a timeout. Never rejects, and takes no longer than a round trip should. */
  async #pollOnce(jobId: string): Promise<void> {
    if (this.#link.info.status !== 'ready') return;
    const poll = this.#stored.read(jobId).then((end) => {
      this.#found(jobId, end);
    });
    await settlesWithin(poll, LAST_POLL_MS);
  }

  #found(jobId: string, { value, why, state }: StoredEnd): void {
    if (!this.#waiters.has(jobId)) {
      this.#absent.delete(jobId);
      return;
    }
    if (value) this.#completed(jobId, value);
    else if (why !== undefined) this.#failed(jobId, why);
    else if (state === 'completed') this.#completed(jobId, undefined);
    else if (state === 'ended' || (state === 'queue-empty' && this.#absent.has(jobId))) {
      this.#waiters.rejected(jobId, new JobGoneError(jobId, this.#queue, 'unknown'));
    } else if (state === 'queue-empty') {
      this.#absent.add(jobId);
      return;
    }
    this.#absent.delete(jobId);
  }

  #completed(jobId: string, value: Buffer | undefined): void {
    this.#waiters.completed(jobId, () => (value ? decodePayload(value) : undefined));
  }

  #failed(jobId: string, why: string): void {
    const [reason = '', ...detail] = why.split('\n');
    const error =
      reason === 'removed' || reason === 'dropped'
        ? new JobGoneError(jobId, this.#queue, reason)
        : new JobFailedError(
            `Job ${jobId} of queue "${this.#queue}" failed for good: ${reason}` +
              `${detail.length === 0 ? '' : ` (${detail.join('\n')})`}.`,
          );
    this.#waiters.rejected(jobId, error);
  }

  /** Resolves when the feed misses no entry from now on. */
  async #listen(): Promise<void> {
    this.#feed ??= this.#startFeed();
    const starting = this.#feed;
    try {
      await (await starting).waitUntilReady();
    } catch (error) {
      // A feed that could not start never does: the next waiter tries with a new one.
      if (this.#feed === starting) this.#feed = undefined;
      await (await settled(starting))?.close();
      throw error;
    }
  }

  async #startFeed(): Promise<StreamFeed> {
    const { connection, connectTimeoutMs } = this.#options;
    const stream = this.#keys.ended;
    if (!this.#link.isReady) await this.#link.ready();
    // Both commands go over one connection, in this order: entries that this waiter causes come after the newest entry.
    const reading = this.#link.call('XREVRANGE', [stream, '+', '-', 'COUNT', 1]);
    // The first poll sets the key too, but comes later.
    this.#link.call('SET', [this.#keys.waiters, 1, 'PX', WAITERS_TTL_MS]).catch(() => undefined);
    const newest = (await reading) as [string, unknown][];
    const feed = new StreamFeed({
      link: new CommandLink(connection, { connectTimeoutMs }),
      stream,
      what: 'results',
      lastId: newest[0]?.[0] ?? '0-0',
      count: ENTRIES_PER_READ,
      connectTimeoutMs,
      onEntry: ([id, fields]) => {
        this.#onEnded(id.toString(), fields);
      },
      // The feed continues by itself, and meanwhile the polls find results.
      onError: () => undefined,
    });
    // When the feed ends, each waiter learns the reason from its own poll or from its deadline.
    feed.run().catch(() => undefined);
    if (this.#isClosed) await feed.close();
    return feed;
  }

  #onEnded(entryId: string, fields: readonly Buffer[]): void {
    readEndedEntry(fields, {
      isAwaited: (jobId) => this.#waiters.has(jobId),
      completed: (jobId, value) => {
        if (value !== 'stored' && this.#isNew(entryId, jobId)) this.#completed(jobId, value);
        else {
          this.#readEnd(jobId, (end) => {
            this.#completed(jobId, end.value);
          });
        }
      },
      failed: (jobId, why) => {
        if (why !== undefined && this.#isNew(entryId, jobId)) this.#failed(jobId, why);
        else {
          this.#readEnd(jobId, (end) => {
            this.#failed(jobId, end.why ?? why ?? 'unknown');
          });
        }
      },
    });
  }

  /** False for an entry that is older than the last poll: it may be about an earlier job of the same id. */
  #isNew(entryId: string, jobId: string): boolean {
    const polledAt = this.#waiters.polledAt(jobId);
    return polledAt === '' || (polledAt !== undefined && compareStreamIds(entryId, polledAt) > 0);
  }

  /** @param onEnd not called while a job of this id is live: an earlier job of the id has ended */
  #readEnd(jobId: string, onEnd: (end: StoredEnd) => void): void {
    this.#stored.read(jobId).then(
      (end) => {
        if (end.state !== 'live') onEnd(end);
      },
      (error: unknown) => {
        this.#waiters.rejected(jobId, error);
      },
    );
  }
}

/** Undefined where it was rejected. */
function settled<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  return promise?.catch(() => undefined) ?? Promise.resolve(undefined);
}
