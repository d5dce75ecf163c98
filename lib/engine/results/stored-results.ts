import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/connections.js';
import { WAITERS_TTL_MS } from './ended-entry.js';

/** By the numbers of lua/results.lua. */
const STATES = ['unknown', 'queue-empty', 'ended', 'live'] as const;

/** What Redis remembers of how a job has ended. */
export interface StoredEnd {
  /** MessagePack of the stored result. */
  value: Buffer | undefined;
  /** Why there is no result: see lua/dead-letter.lua. */
  why: string | undefined;
  /**
   * Of a job that has neither. `unknown`: its end may be on its way. `queue-empty`: the queue holds no job at all. `ended`,
   * `live`: the marker of its id says so.
   */
  state: (typeof STATES)[number];
  /** The newest entry of the stream `ended` at the time of the read; '' if there was none. Only for result waiters. */
  newest: string;
}

interface QueuedRead {
  jobId: string;
  resolve: (end: StoredEnd) => void;
  reject: (error: unknown) => void;
}

const IDS_PER_CALL = 1_000;

/** Reads the stored ends of jobs. */
export class StoredResults {
  readonly #keys: QueueKeys;
  readonly #link: CommandLink;
  #queued: QueuedRead[] = [];

  constructor(keys: QueueKeys, link: CommandLink) {
    this.#keys = keys;
    this.#link = link;
  }

  /** Reads of one tick share a round trip. */
  read(jobId: string): Promise<StoredEnd> {
    return new Promise((resolve, reject) => {
      if (this.#queued.push({ jobId, resolve, reject }) === 1) process.nextTick(this.#readQueued);
    });
  }

  readonly #readQueued = (): void => {
    const queued = this.#queued;
    this.#queued = [];
    this.readAll(queued.map(({ jobId }) => jobId)).then(
      (ends) => {
        queued.forEach(({ resolve }, index) => {
          resolve(ends[index] as StoredEnd);
        });
      },
      (error: unknown) => {
        for (const { reject } of queued) reject(error);
      },
    );
  };

  /**
   * One end per id, in order.
   * @param forWaiters also says in Redis that result waiters exist
   */
  async readAll(jobIds: readonly string[], forWaiters = false): Promise<StoredEnd[]> {
    const ends: StoredEnd[] = [];
    // A reply covers as many of the jobs as its size allows, and at least one.
    while (ends.length < jobIds.length) {
      const ids = jobIds.slice(ends.length, ends.length + IDS_PER_CALL);
      const args = [forWaiters ? WAITERS_TTL_MS : '', ...ids];
      const reply = await this.#link.run('results', this.#keys, args, { buffers: true });
      const [newest, ...found] = reply as [Buffer, ...(Buffer | number | null)[]];
      for (let i = 0; i < found.length; i += 3) {
        const [value, why, state] = found.slice(i, i + 3) as [Buffer | null, Buffer | null, 0 | 1 | 2 | 3];
        ends.push({
          value: value ?? undefined,
          why: why?.toString(),
          state: STATES[state],
          newest: newest.toString(),
        });
      }
    }
    return ends;
  }
}
