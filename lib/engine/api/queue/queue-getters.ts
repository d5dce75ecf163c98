import { readBacklog } from '../../../redis/scripts/read-backlog.js';
import type { Backlog } from '../../../redis/scripts/read-backlog.js';
import { peekDlq } from '../../admin/dlq.js';
import type { DlqEntry } from '../../admin/dlq.js';
import { checkJobId, checkLimit, checkText } from '../../config/check-arguments.js';
import { QueueSchedules } from './queue-schedules.js';

/** The methods of a queue that look and change nothing. */
export abstract class QueueGetters<Data, Result, Name extends string> extends QueueSchedules<
  Data,
  Result,
  Name
> {
  /**
   * Reads dead letters, oldest first, and does not move them.
   * @param limit the most that are read. Default 20
   */
  async peekDlq(limit = 20): Promise<DlqEntry[]> {
    checkLimit(limit);
    return this.core.use((link, keys) => peekDlq(link, keys, limit));
  }

  /** How many jobs wait, run and are late. One cheap call: its cost does not depend on the length of the queue. */
  async getBacklog(group = 'default'): Promise<Backlog> {
    checkText('getBacklog: the group', group);
    return this.core.use((link, keys) => readBacklog(link, keys, { group }));
  }

  /** The stored return value of a job; undefined if nothing is stored. */
  async getJobResult(jobId: string): Promise<Result | undefined> {
    checkJobId(jobId);
    return (await this.core.use(() => this.core.results.get(jobId))) as Result | undefined;
  }
}
