import type { QueueKeys } from '../../redis/keys.js';
import { readResults } from '../../redis/scripts/read-results.js';
import type { StoredResult } from '../../redis/scripts/read-results.js';
import type { CommandLink } from '../connection/command-link.js';
import { WAITERS_TTL_MS } from './ended-entry.js';

/** What Redis remembers of how a job has ended. */
export interface StoredEnd extends StoredResult {
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
      const { newest, results } = await readResults(this.#link, this.#keys, {
        waitersMs: forWaiters ? WAITERS_TTL_MS : undefined,
        jobIds: jobIds.slice(ends.length, ends.length + IDS_PER_CALL),
      });
      for (const result of results) ends.push({ ...result, newest });
    }
    return ends;
  }
}
