import { readPolicy } from '../../../redis/scripts/read-policy.js';
import { setPolicy } from '../../../redis/scripts/set-policy.js';
import { checkConcurrency } from '../../config/check-arguments.js';
import { QueueSteering } from './queue-steering.js';

/** The methods of a queue that limit what runs at once, over all workers. */
export abstract class QueueLimits<Data, Result, Name extends string> extends QueueSteering<
  Data,
  Result,
  Name
> {
  /**
   * Limits how many jobs of the queue are active at once, over the workers of all processes, 1 to 100,000. The limit is stored in
   * Redis, so it outlives all processes. Workers learn of it at once, and within one second if a message is lost: they release what
   * they have fetched and not started. Jobs that run go on, also if there are more of them than the limit. Jobs of a worker that has
   * died count until their lease has run out and they have ended elsewhere.
   *
   * Third-party workers and workers of earlier versions do not respect the limit.
   * @throws ConfigRangeError (a RangeError, CMQ-004), ConnectionError (CMQ-001; if its `unknownOutcome` is true, the limit may be
   * set: call it again), ShutdownError (CMQ-005)
   */
  async setGlobalConcurrency(concurrency: number): Promise<void> {
    checkConcurrency(concurrency);
    await this.core.use((link, keys) => setPolicy(link, keys, { concurrency }));
  }

  /** Removes the limit. Without one, this changes nothing. @throws as `setGlobalConcurrency` */
  async removeGlobalConcurrency(): Promise<void> {
    await this.core.use((link, keys) => setPolicy(link, keys, { concurrency: undefined }));
  }

  /** The limit that `setGlobalConcurrency` has set; null if there is none. @throws as `setGlobalConcurrency` */
  async getGlobalConcurrency(): Promise<number | null> {
    const { concurrency } = await this.core.use((link, keys) => readPolicy(link, keys));
    return concurrency ?? null;
  }

  /**
   * Whether as many jobs are active as `setGlobalConcurrency` allows, or more. False without a limit.
   * @throws as `setGlobalConcurrency`
   */
  async isMaxed(): Promise<boolean> {
    const concurrency = await this.getGlobalConcurrency();
    return concurrency !== null && (await this.getActiveCount()) >= concurrency;
  }
}
