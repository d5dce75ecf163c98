import { clean, drain, drainGroup } from '../../admin/clean.js';
import { dropDlq, replayDlq } from '../../admin/dlq.js';
import { obliterate } from '../../admin/obliterate.js';
import { Operation } from '../../admin/operation.js';
import { ConfigError } from '../../base/errors.js';
import { checkCleanType, checkDuration, checkFlag, checkLimit } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import type {
  CleanType,
  DropDlqOptions,
  ObliterateOptions,
  OperationOptions,
  ReplayDlqOptions,
} from '../../config/options.js';
import { dropSchema, replaySchema } from '../../config/options/dlq.js';
import { checkGroupId } from '../../config/options/group.js';
import { obliterateSchema, operationSchema } from '../../config/options/operation.js';
import { QueueGroups } from './queue-groups.js';

/**
 * The methods of a queue that delete or replay many jobs. Each runs in short steps next to live workers, none of which takes
 * Redis longer than a few ms, and never touches a job that is active.
 */
export abstract class QueueCleaning<Data, Result, Name extends string> extends QueueGroups<
  Data,
  Result,
  Name
> {
  /**
   * Moves dead letters back to the work stream, oldest first, with all attempts available again. Resolves with how many
   * were moved. Dead letters that cannot be decoded stay and do not count.
   * @param which how many at most (default 100), or a selection: `ids` of dead letters or of their jobs, a `reason`, a `name`, a
   * `text`, a time (`since`, `until`), and a `limit` (default: all that match)
   */
  async replayDlq(which: number | ReplayDlqOptions = 100): Promise<number> {
    const given: ReplayDlqOptions =
      typeof which === 'object' && (which as unknown) !== null ? which : { limit: which as number };
    if (given !== which) checkLimit(which);
    const {
      limit = Infinity,
      signal,
      onProgress,
      ...selection
    } = checkOptions('replayDlq', replaySchema, given);
    const operation = new Operation(toOperation(signal, onProgress));
    const { eventsCap } = this.core;
    return this.core.use((link, keys) => replayDlq(link, keys, selection, { limit, eventsCap }, operation));
  }

  /**
   * Deletes dead letters for good: by `ids` (of dead letters or of their jobs), `reason`, `name`, `text`, time (`since`,
   * `until`), or `all`. Resolves with how many.
   * @throws ConfigError (CMQ-004) if nothing is selected: to delete all, pass `all: true`
   */
  async dropDlq(which: DropDlqOptions): Promise<number> {
    const {
      all = false,
      limit = Infinity,
      signal,
      onProgress,
      ...selection
    } = checkOptions('dropDlq', dropSchema, which);
    if (all === Object.keys(selection).length > 0) {
      throw new ConfigError(
        'dropDlq: select dead letters by "ids", "reason", "name", "text", "since" or "until", or else pass { all: true }.',
      );
    }
    const operation = new Operation(toOperation(signal, onProgress));
    const { eventsCap } = this.core;
    return this.core.use((link, keys) => dropDlq(link, keys, selection, { limit, eventsCap }, operation));
  }

  /**
   * Removes all waiting jobs. Jobs that are active go on, schedules stay, and what is added during the call stays in the work
   * stream.
   * @param delayed also remove as many delayed jobs as there are, those that wait for a retry included. Those that are added
   * during the call may be among them.
   * @throws ConfigError (CMQ-004), the reason of the signal, ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async drain(delayed = false, options: OperationOptions = {}): Promise<void> {
    checkFlag('drain: delayed', delayed);
    const checked = checkOptions('drain', operationSchema, options);
    const { eventsCap } = this.core;
    await this.core.use((link, keys) => drain(link, keys, { delayed, eventsCap }, checked));
  }

  /**
   * Removes all waiting jobs of one group, such as those of a tenant who has added too many. Its jobs that are active go on, and its
   * limits and its pause stay. Pause the group first if its jobs should not start meanwhile. Resolves with how many were removed.
   * @param delayed also remove the delayed jobs of the group, those that wait for a retry included. This looks at all delayed jobs.
   * @throws ConfigError or TypeError (CMQ-004), the reason of the signal, ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async drainGroup(groupId: string, delayed = false, options: OperationOptions = {}): Promise<number> {
    checkGroupId('drainGroup', groupId);
    checkFlag('drainGroup: delayed', delayed);
    const checked = checkOptions('drainGroup', operationSchema, options);
    const which = { group: groupId, delayed, eventsCap: this.core.eventsCap };
    return this.core.use((link, keys) => drainGroup(link, keys, which, checked));
  }

  /**
   * Removes jobs of one type that are old enough. Resolves with their ids. The age of a waiting or delayed job counts from its
   * submission, and that of a completed or failed job from its end.
   * @param grace only jobs that are older than so many ms; 0 = all
   * @param limit the most jobs that are removed; 0 = all
   * @param type `completed` (jobs that are kept; default), `failed`, `delayed`, `wait` or `waiting`, or `paused`: those that
   * wait, if the queue is paused. There are no `prioritized` jobs.
   * @throws RangeError for a wrong `grace` or `limit`, ConfigError for another type (CMQ-004), also for `active`: `cancel(id)` ends a job that runs; else as `drain`
   */
  async clean(
    grace: number,
    limit: number,
    type: CleanType = 'completed',
    options: OperationOptions = {},
  ): Promise<string[]> {
    checkDuration('clean: grace', grace);
    checkLimit(limit);
    checkCleanType(type);
    const checked = checkOptions('clean', operationSchema, options);
    // Ages are whole ms.
    const sweep = {
      grace: Math.ceil(grace),
      limit: limit === 0 ? Infinity : limit,
      eventsCap: this.core.eventsCap,
    };
    return this.core.use((link, keys) => clean(link, keys, type, sweep, checked));
  }

  /**
   * Deletes the queue: all jobs, dead letters, results, events and schedules. Pauses the queue meanwhile; in the end it is not
   * paused. Live workers go on with what is added later.
   * @throws JobsActiveError (CMQ-108) if jobs are active a second after the pause, and `force` is not set. Nothing was deleted
   * then. With `force`, active jobs end as lost: no retry, no dead letter, no result. Else as `drain`.
   */
  async obliterate(options: ObliterateOptions = {}): Promise<void> {
    const checked = checkOptions('obliterate', obliterateSchema, options);
    await this.core.use((link, keys) => obliterate(link, keys, checked, this.core.eventsCap));
  }
}

function toOperation(
  signal: OperationOptions['signal'],
  onProgress: OperationOptions['onProgress'],
): OperationOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}
