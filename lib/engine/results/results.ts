import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import { CommandLink } from '../connection/connections.js';
import { ENDED_WAITERS_MS, readEnded } from './ended.js';
import { JobFailedError, JobGoneError } from '../base/errors.js';
import type { QueueOptions, WaitForResultOptions } from '../config/options.js';
import { decodePayload } from '../codec/payload.js';
import { StreamFeed } from '../connection/stream-feed.js';
import { Waits } from './result-waiters.js';

/** Of lua/results.lua. */
const NONE_LEFT = 1;
const HAS_ENDED = 2;
const IS_LIVE = 3;

interface Ended {
  /** MessagePack of the stored result. */
  value: Buffer | undefined;
  /** Why there is none: see lua/dead-letter.lua. */
  why: string | undefined;
  /** Of lua/results.lua. */
  state: number;
}

interface Wanted {
  jobId: string;
  resolve: (ended: Ended) => void;
  reject: (error: unknown) => void;
}

/** How often to look for results all the same, in ms: entries are trimmed, and third-party workers write none. */
const LOOK_MS = 2_000;
/** After so many ms, a queue that seems to hold no job is asked again: a result may be stored just behind the job's end. */
const CONFIRM_MS = 250;
/** How long the look before a timeout may take, in ms. */
const LAST_LOOK_MS = 2_000;
/** Jobs asked for at once. */
const IDS_PER_CALL = 1_000;
/** Each may tell of hundreds of jobs. */
const ENTRIES_PER_READ = 20;

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
  #confirming: NodeJS.Timeout | undefined;
  /** The last look found neither them nor any other job. */
  #missing = new Set<string>();
  #feed: Promise<StreamFeed> | undefined;
  #isClosed = false;

  constructor(queue: string, keys: QueueKeys, link: CommandLink, options: QueueOptions) {
    this.#queue = queue;
    this.#keys = keys;
    this.#link = link;
    this.#options = options;
    this.#waits = new Waits(queue, {
      lastLook: (jobId) => this.#lookOnce(jobId),
      idle: () => {
        clearInterval(this.#timer);
        clearTimeout(this.#confirming);
        this.#timer = undefined;
        this.#confirming = undefined;
        this.#missing.clear();
      },
    });
  }

  /** Reads of one tick share a round trip. */
  async get(jobId: string): Promise<unknown> {
    const { value } = await this.#read(jobId);
    return value ? decodePayload(value) : undefined;
  }

  /** MessagePack per id, in order; undefined where nothing is stored. */
  async getBytes(jobIds: readonly string[]): Promise<(Buffer | undefined)[]> {
    return (await this.#endsOf(jobIds)).map(({ value }) => value);
  }

  wait(jobId: string, options: WaitForResultOptions): Promise<unknown> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason as Error);
    this.#timer ??= setInterval(this.#lookForAll, LOOK_MS);
    // Listening first and looking second: a result that is stored in between is seen by one of the two.
    if (this.#fresh.push(jobId) === 1) this.#listen().then(this.#lookForFresh, this.#refuseFresh);
    return this.#waits.add(jobId, options);
  }

  /** Ends what waits, with a ShutdownError. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waits.close();
    const feed = await settled(this.#feed);
    await feed?.close();
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
          resolve(ends[index] as Ended);
        });
      },
      (error: unknown) => {
        for (const { reject } of wanted) reject(error);
      },
    );
  };

  /**
   * How each of the jobs has ended, as far as Redis remembers.
   * @param waits say in Redis that somebody waits, for those that have not
   */
  async #endsOf(jobIds: readonly string[], waits = false): Promise<Ended[]> {
    const ends: Ended[] = [];
    while (ends.length < jobIds.length) {
      const ids = jobIds.slice(ends.length, ends.length + IDS_PER_CALL);
      const args = [waits ? ENDED_WAITERS_MS : '', ...ids];
      const reply = await this.#link.run('results', this.#keys, args, { buffers: true });
      const [newest, ...found] = reply as [Buffer, ...(Buffer | number | null)[]];
      for (let i = 0; i < found.length; i += 3) {
        const [value, why, state] = found.slice(i, i + 3) as [Buffer | null, Buffer | null, number];
        if (waits) this.#waits.looked(jobIds[ends.length] as string, newest.toString());
        ends.push({ value: value ?? undefined, why: why?.toString(), state });
      }
    }
    return ends;
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
    // The next look comes soon, and each wait has a deadline of its own.
    this.#look(this.#waits.jobIds).catch(() => undefined);
  };

  /** Ends the waits for those that have ended. */
  async #look(jobIds: readonly string[]): Promise<void> {
    const ends = await this.#endsOf(jobIds, true);
    ends.forEach((ended, index) => {
      this.#found(jobIds[index] as string, ended);
    });
    if (this.#missing.size > 0) {
      this.#confirming ??= setTimeout(() => {
        this.#confirming = undefined;
        for (const jobId of this.#missing) if (!this.#waits.has(jobId)) this.#missing.delete(jobId);
        this.#look([...this.#missing]).catch(() => undefined);
      }, CONFIRM_MS);
    }
  }

  #found(jobId: string, { value, why, state }: Ended): void {
    if (!this.#waits.has(jobId)) {
      this.#missing.delete(jobId);
      return;
    }
    if (value) this.#completed(jobId, value);
    else if (why !== undefined) this.#died(jobId, why);
    else if (state === HAS_ENDED || (state === NONE_LEFT && this.#missing.has(jobId))) {
      this.#waits.rejected(jobId, new JobGoneError(jobId, this.#queue, 'unknown'));
    } else if (state === NONE_LEFT) {
      this.#missing.add(jobId);
      return;
    }
    this.#missing.delete(jobId);
  }

  /** Never rejects, and takes no longer than a round trip should. */
  async #lookOnce(jobId: string): Promise<void> {
    if (this.#link.info.status !== 'ready') return;
    const look = this.#read(jobId).then((ended) => {
      this.#found(jobId, ended);
    });
    await settlesWithin(look, LAST_LOOK_MS);
  }

  #died(jobId: string, why: string): void {
    const [reason = '', ...detail] = why.split('\n');
    const error =
      reason === 'removed' || reason === 'dropped'
        ? new JobGoneError(jobId, this.#queue, reason)
        : new JobFailedError(
            `Job ${jobId} of queue "${this.#queue}" failed for good: ${reason}` +
              `${detail.length === 0 ? '' : ` (${detail.join('\n')})`}.`,
          );
    this.#waits.rejected(jobId, error);
  }

  /** Resolves when nothing is missed from now on. */
  async #listen(): Promise<void> {
    this.#feed ??= this.#openFeed();
    const opening = this.#feed;
    try {
      await (await opening).waitUntilReady();
    } catch (error) {
      // One that could not begin never does: the next wait tries another.
      if (this.#feed === opening) this.#feed = undefined;
      await (await settled(opening))?.close();
      throw error;
    }
  }

  async #openFeed(): Promise<StreamFeed> {
    const { connection, connectTimeoutMs } = this.#options;
    const stream = this.#keys.ended;
    if (!this.#link.isReady) await this.#link.ready();
    // On one connection, so one after the other: what is told because somebody waits stands behind the newest entry.
    const reading = this.#link.call('XREVRANGE', [stream, '+', '-', 'COUNT', 1]);
    // The first look says so too, but comes later.
    this.#link.call('SET', [this.#keys.waiters, 1, 'PX', ENDED_WAITERS_MS]).catch(() => undefined);
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
      // It goes on by itself; meanwhile there are the looks.
      onError: () => undefined,
    });
    // What ends it, each wait hears from its own look or its deadline.
    feed.run().catch(() => undefined);
    if (this.#isClosed) await feed.close();
    return feed;
  }

  #onEnded(entryId: string, fields: readonly Buffer[]): void {
    readEnded(fields, {
      isAwaited: (jobId) => this.#waits.has(jobId),
      completed: (jobId, value) => {
        if (value !== 'stored' && this.#isNew(entryId, jobId)) this.#completed(jobId, value);
        else {
          this.#readOf(jobId, (ended) => {
            this.#completed(jobId, ended.value);
          });
        }
      },
      died: (jobId, why) => {
        if (why !== undefined && this.#isNew(entryId, jobId)) this.#died(jobId, why);
        else {
          this.#readOf(jobId, (ended) => {
            this.#died(jobId, ended.why ?? why ?? 'unknown');
          });
        }
      },
    });
  }

  /** False where an entry was there before it was looked for the job: it may tell of an earlier job of the same id. */
  #isNew(entryId: string, jobId: string): boolean {
    const lookedAt = this.#waits.lookedAt(jobId);
    return lookedAt === '' || (lookedAt !== undefined && compareStreamIds(entryId, lookedAt) > 0);
  }

  /** @param told not called where it was an earlier job of this id that has ended */
  #readOf(jobId: string, told: (ended: Ended) => void): void {
    this.#read(jobId).then(
      (ended) => {
        if (ended.state !== IS_LIVE) told(ended);
      },
      (error: unknown) => {
        this.#waits.rejected(jobId, error);
      },
    );
  }

  #completed(jobId: string, value: Buffer | undefined): void {
    this.#waits.completed(jobId, () => (value ? decodePayload(value) : undefined));
  }
}

/** Undefined where it was rejected. */
function settled<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  return promise?.catch(() => undefined) ?? Promise.resolve(undefined);
}
