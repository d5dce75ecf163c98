import { checkLimit, checkText, checkWhole } from '../../config/check-arguments.js';
import type { RepeatableJobMeta } from '../../config/options.js';
import { toJobMeta } from '../../timers/repeat/from-options.js';
import { readSchedules } from '../../timers/repeat/schedules.js';
import { QueueBase } from './queue-base.js';

/** The methods of a queue for its schedules. */
export abstract class QueueSchedules<Data, Result, Name extends string> extends QueueBase<
  Data,
  Result,
  Name
> {
  /**
   * Lists the schedules of the queue, ordered by their next fire, without their data.
   * @param limit the most that are listed. Default: all
   */
  async getRepeatableJobs(limit = Infinity): Promise<RepeatableJobMeta[]> {
    checkLimit(limit);
    const schedules = await this.core.use((link, keys) => readSchedules(link, keys, limit));
    return schedules.map(toJobMeta);
  }

  /**
   * Asks whether this deployment may remove schedules of an owner. Resolves with false if a newer deployment has asked
   * before. If it resolves with true, older deployments get false from now on.
   *
   * @param owner as `owner` of {@link RepeatOptions}
   * @param generation a whole number that grows with each deployment
   */
  async claimRepeatables(owner: string, generation: number): Promise<boolean> {
    checkText('claimRepeatables: the owner', owner);
    checkWhole('claimRepeatables: the generation', generation);
    return this.core.use(() => this.core.declared.claim(owner, generation));
  }

  /** Removes a schedule. True if it was there. Jobs that it has already added stay. */
  async removeRepeatableByKey(key: string): Promise<boolean> {
    checkText('removeRepeatableByKey: the key', key);
    return this.core.use(() => this.core.declared.remove(key));
  }
}
