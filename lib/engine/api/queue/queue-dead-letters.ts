import type { DlqEntry } from '../../admin/dlq.js';
import { countDlq } from '../../admin/look/dlq-histogram.js';
import type { DlqHistogram } from '../../admin/look/dlq-histogram.js';
import { peekDlq, readDlqPage } from '../../admin/look/dlq-pages.js';
import type { DlqPage } from '../../admin/look/dlq-pages.js';
import { checkLimit } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import type { DlqHistogramOptions, DlqPageOptions } from '../../config/options.js';
import { dlqHistogramSchema, dlqPageSchema } from '../../config/options/dlq.js';
import { QueueCounts } from './queue-counts.js';

/** The methods of a queue that look at its dead letters. They change nothing. */
export abstract class QueueDeadLetters<Data, Result, Name extends string> extends QueueCounts<
  Data,
  Result,
  Name
> {
  /**
   * Reads a page of dead letters, the newest first, or with `order: 'oldest'` the oldest first. Redis applies the filters. The
   * cost does not depend on how many dead letters there are, nor on how far the page is from the start.
   *
   * A page looks at about 20,000 dead letters at most, so a rare filter may return a short page, or an empty one: the end is
   * where `next` is undefined.
   * @throws CursorError (CMQ-109) for an `after` that is not the `next` of a call with the same options, ConfigError
   * (CMQ-004), ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async getDlq(options: DlqPageOptions = {}): Promise<DlqPage> {
    const checked = checkOptions('getDlq', dlqPageSchema, options);
    return this.core.use((link, keys) => readDlqPage(link, keys, checked));
  }

  /**
   * Counts the dead letters by reason, by name, or by the hour or day in which the jobs failed. Takes seconds for
   * 500,000 dead letters, in steps that hold Redis for about 1 ms.
   * @throws the reason of the signal, if it was aborted; else as {@link getDlq}
   */
  async getDlqHistogram(options: DlqHistogramOptions = {}): Promise<DlqHistogram> {
    const checked = checkOptions('getDlqHistogram', dlqHistogramSchema, options);
    return this.core.use((link, keys) => countDlq(link, keys, checked));
  }

  /**
   * Reads dead letters, oldest first, and does not move them.
   * @param limit the most that are read. Default 20
   */
  async peekDlq(limit = 20): Promise<DlqEntry[]> {
    checkLimit(limit);
    return this.core.use((link, keys) => peekDlq(link, keys, limit));
  }
}
