import { peekDlq } from '../../admin/dlq.js';
import type { DlqEntry } from '../../admin/dlq.js';
import { checkJobId, checkLimit } from '../../config/check-arguments.js';
import { QueueCounts } from './queue-counts.js';

/** The methods of a queue that look and change nothing. */
export abstract class QueueGetters<Data, Result, Name extends string> extends QueueCounts<
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

  /** The stored return value of a job; undefined if nothing is stored. */
  async getJobResult(jobId: string): Promise<Result | undefined> {
    checkJobId(jobId);
    return (await this.core.use(() => this.core.results.get(jobId))) as Result | undefined;
  }
}
