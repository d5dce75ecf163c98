import { checkJobId } from '../../config/check-arguments.js';
import { QueueDeadLetters } from './queue-dead-letters.js';

/** The methods of a queue that look and change nothing. */
export abstract class QueueGetters<Data, Result, Name extends string> extends QueueDeadLetters<
  Data,
  Result,
  Name
> {
  /** The stored return value of a job; undefined if nothing is stored. */
  async getJobResult(jobId: string): Promise<Result | undefined> {
    checkJobId(jobId);
    return (await this.core.use(() => this.core.results.get(jobId))) as Result | undefined;
  }
}
