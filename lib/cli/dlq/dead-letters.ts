import { exportDlq } from '../../engine/admin/dlq-archive.js';
import type { ArchivedLetter } from '../../engine/admin/dlq-archive.js';
import type { DlqEntry, DlqReason, Queue } from '../../engine/index.js';
import type { SelectionOptions } from './selection.js';
import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { oneLine } from '../output/values.js';

/** Pages of the selected dead letters, oldest first. Ends early when Ctrl-C is pressed. */
export async function* selectedLetters(
  context: Context,
  queue: Queue,
  options: SelectionOptions,
  onLooked?: (looked: number) => void,
): AsyncGenerator<ArchivedLetter[]> {
  checkSelection(options);
  const { id, reason, limit = Infinity } = options;
  const { link } = await context.servers();
  const selection = {
    ...(id !== undefined && { ids: id }),
    ...(reason !== undefined && { reason: reason as DlqReason }),
  };
  const matches = matcher(options);
  let [looked, found] = [0, 0];
  for await (const page of exportDlq(link, queue.keys, selection)) {
    context.signal.throwIfAborted();
    looked += page.length;
    const matching = page.filter(({ entry }) => matches(entry)).slice(0, limit - found);
    found += matching.length;
    onLooked?.(looked);
    if (matching.length > 0) yield matching;
    if (found >= limit) return;
  }
}

/** The newest of the selected dead letters, newest first. */
export async function newestLetters(
  context: Context,
  queue: Queue,
  options: SelectionOptions,
  most: number,
): Promise<DlqEntry[]> {
  const newest: DlqEntry[] = [];
  const { limit: _limit, ...selection } = options;
  for await (const page of selectedLetters(context, queue, selection)) {
    newest.push(...page.map(({ entry }) => entry));
    newest.splice(0, newest.length - most);
  }
  return newest.reverse();
}

/** Whether a command that changes dead letters has been told which. */
export function isSelective(options: SelectionOptions): boolean {
  const { id, reason, name, since, until, text } = options;
  return [id, reason, name, since, until, text].some((value) => value !== undefined);
}

function checkSelection({ since, until }: SelectionOptions): void {
  if (since !== undefined && until !== undefined && since >= until) {
    throw usageError('--since must be before --until.');
  }
}

function matcher({ name, since, until, text }: SelectionOptions): (entry: DlqEntry) => boolean {
  const wanted = text?.toLowerCase();
  return (entry) => {
    if (name !== undefined && entry.name !== name) return false;
    const at = failedAtOf(entry);
    if (since !== undefined && at < since) return false;
    if (until !== undefined && at >= until) return false;
    if (wanted === undefined) return true;
    const where = [entry.detail ?? '', entry.stack ?? '', entry.name, oneLine(entry.data)];
    return where.some((each) => each.toLowerCase().includes(wanted));
  };
}

/** When it was dead-lettered, in unix ms. Where the field is missing, the time in its id. */
export function failedAtOf({ failedAt, dlqId }: DlqEntry): number {
  return failedAt !== undefined && Number.isFinite(failedAt) ? failedAt : Number(dlqId.split('-')[0]);
}
