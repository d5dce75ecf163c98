import { readLimits } from '../../../redis/scripts/read-limits.js';
import type { LimitsReply } from '../../../redis/scripts/read-limits.js';
import { setPolicy } from '../../../redis/scripts/set-policy.js';
import type { DeclaredKind, PolicyFields } from '../../../redis/scripts/set-policy.js';
import { setRateLimited } from '../../../redis/scripts/set-rate-limited.js';
import { checkLimitMs, checkMost } from '../../config/options/limits.js';
import type { RateLimit } from '../../config/options/limits.js';
import { QueueSteering } from './queue-steering.js';

/**
 * The methods of a queue that limit how many jobs start: docs/limits.md. A limit is stored in Redis, holds for all workers in all
 * processes, and takes effect within a second. Errors of all of them: ConfigError (CMQ-004), ConnectionError (CMQ-001),
 * ShutdownError (CMQ-005).
 */
export abstract class QueueLimits<Data, Result, Name extends string> extends QueueSteering<
  Data,
  Result,
  Name
> {
  /**
   * Sets how many jobs of the queue may be in flight at once, in all workers together. Jobs that run already go on.
   * Resolves with 1 if this changed something, else with 0.
   * @param concurrency a whole number from 1
   */
  async setGlobalConcurrency(concurrency: number): Promise<number> {
    checkMost('setGlobalConcurrency: the concurrency', concurrency);
    return this.#set({ concurrency });
  }

  /** Resolves with null if there is none. */
  async getGlobalConcurrency(): Promise<number | null> {
    return (await this.readLimits()).concurrency ?? null;
  }

  /** Resolves with 1 if there was one, else with 0. */
  async removeGlobalConcurrency(): Promise<number> {
    return this.#set({ concurrency: undefined });
  }

  /** Whether as many jobs are in flight as the global concurrency allows. */
  async isMaxed(): Promise<boolean> {
    const { concurrency = Infinity, pending } = await this.readLimits();
    return pending >= concurrency;
  }

  /**
   * Sets how many jobs of the queue may start in any span of time of this length, in all workers together. It replaces the
   * `limiter` of the workers until that changes. Resolves with 1 if this changed something, else with 0.
   * @param max a whole number from 1
   * @param duration in ms, from 1 to 2,592,000,000 (30 days)
   */
  async setGlobalRateLimit(max: number, duration: number): Promise<number> {
    checkMost('setGlobalRateLimit: max', max);
    checkLimitMs('setGlobalRateLimit: the duration', duration);
    return this.#set({ max, duration });
  }

  /** Resolves with null if there is none. */
  async getGlobalRateLimit(): Promise<RateLimit | null> {
    const { max, duration } = await this.readLimits();
    return max === undefined || duration === undefined ? null : { max, duration };
  }

  /**
   * Removes what {@link setGlobalRateLimit} has set: within a second, the `limiter` of the workers that run holds again, if they have
   * one. Resolves with 1 if there was a limit, else with 0.
   */
  async removeGlobalRateLimit(): Promise<number> {
    return this.#set({ max: undefined, duration: undefined }, 'limiter');
  }

  /**
   * Lets no job start for so many ms, in all workers: for a service that asks you to come back later. In a handler, throw a
   * RateLimitError after it, and the job goes back to the queue with no attempt used: to its old place, if it has a priority, lifo or a
   * group.
   * @param expireTimeMs from 1 to 2,592,000,000 (30 days). A later call replaces it
   */
  async rateLimit(expireTimeMs: number): Promise<void> {
    checkLimitMs('rateLimit: the time', expireTimeMs);
    await this.core.use((link, keys) => setRateLimited(link, keys, { ms: expireTimeMs }));
  }

  /**
   * For how many ms the rate limit lets no job start. With `maxJobs`, the window counts as full with so many starts: 0 if it has
   * fewer. Without it: until all starts have left the window. -2 if nothing has started, as in BullMQ.
   */
  async getRateLimitTtl(maxJobs?: number): Promise<number> {
    if (maxJobs !== undefined) checkMost('getRateLimitTtl: maxJobs', maxJobs);
    const { limitedMs = 0, starts, freesMs, endsMs } = await this.readLimits();
    if (limitedMs > 0) return Math.max(limitedMs, endsMs);
    if (starts === 0) return -2;
    if (maxJobs === undefined) return endsMs;
    return starts >= maxJobs ? freesMs : 0;
  }

  /**
   * Ends {@link rateLimit}, and forgets the starts in the window: jobs may start at once. The limits stay. Resolves with 1 if there
   * was something, else with 0.
   */
  async removeRateLimitKey(): Promise<number> {
    return Number(await this.core.use((link, keys) => setRateLimited(link, keys, { ms: undefined })));
  }

  async #set(fields: PolicyFields, removes?: DeclaredKind): Promise<number> {
    return Number(await this.core.use((link, keys) => setPolicy(link, keys, { removes, fields })));
  }

  /** @internal The limits, and how far they are used, for the dashboard. */
  readLimits(): Promise<LimitsReply> {
    return this.core.use((link, keys) => readLimits(link, keys, { group: 'default' }));
  }
}
