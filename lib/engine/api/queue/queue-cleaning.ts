import { dropDlq, replayDlq } from '../../admin/dlq.js';
import { ConfigError } from '../../base/errors.js';
import { checkLimit } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import type { DlqSelection } from '../../config/options.js';
import { dropSchema, replaySchema } from '../../config/options/dlq.js';
import { QueueSteering } from './queue-steering.js';

/** The methods of a queue that delete or replay many jobs. */
export abstract class QueueCleaning<Data, Result, Name extends string> extends QueueSteering<
  Data,
  Result,
  Name
> {
  /**
   * Moves dead letters back to the work stream, oldest first, with all attempts available again. Resolves with how many
   * were moved. Dead letters that cannot be decoded stay and do not count.
   * @param which how many at most (default 100), or a selection: `ids` of dead letters or of their jobs, a `reason`, and a
   * `limit` (default: all that match)
   */
  async replayDlq(which: number | (DlqSelection & { limit?: number }) = 100): Promise<number> {
    const given = typeof which === 'object' && (which as unknown) !== null ? which : { limit: which };
    const { limit = Infinity, ...selection } = checkOptions('replayDlq', replaySchema, given);
    checkLimit(limit);
    return this.core.use((link, keys) => replayDlq(link, keys, selection, limit, this.core.eventsCap));
  }

  /**
   * Deletes dead letters for good: by `ids` (of dead letters or of their jobs), by `reason`, or `all`. Resolves with how
   * many.
   * @throws ConfigError (CMQ-004) if nothing is selected: to delete all, pass `all: true`
   */
  async dropDlq(which: DlqSelection & { all?: boolean }): Promise<number> {
    const { all = false, ...selection } = checkOptions('dropDlq', dropSchema, which);
    if (all === Object.values(selection).some((value) => value !== undefined)) {
      throw new ConfigError(
        'dropDlq: select with "ids", "reason", "name", "text", "since" or "until", or else pass { all: true }.',
      );
    }
    return this.core.use((link, keys) => dropDlq(link, keys, selection));
  }
}
