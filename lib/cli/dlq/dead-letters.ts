import { exportDlq } from '../../engine/admin/dlq-archive.js';
import type { ArchivedLetter } from '../../engine/admin/dlq-archive.js';
import type { DlqEntry, DlqFilter, DlqSelection, Queue } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { notFound, usageError } from '../frame/errors.js';
import { cell } from '../output/values.js';
import type { FilterOptions, SelectionOptions } from './selection.js';

/** Pages of the selected dead letters, oldest first, with all of their bytes. Ctrl-C ends them. */
export async function* selectedLetters(
  context: Context,
  queue: Queue,
  options: SelectionOptions,
): AsyncGenerator<ArchivedLetter[]> {
  const { limit = Infinity } = options;
  const { link } = await context.servers();
  await link.ready();
  let found = 0;
  for await (const page of exportDlq(link, queue.keys, selectionOf(options), limit)) {
    context.signal.throwIfAborted();
    const letters = page.slice(0, limit - found);
    found += letters.length;
    if (letters.length > 0) yield letters;
    if (found >= limit) return;
  }
}

/** The first of the selected dead letters, in the order that is asked for. */
export async function firstLetters(
  context: Context,
  queue: Queue,
  options: SelectionOptions & { readonly newest?: boolean },
  limit: number,
): Promise<DlqEntry[]> {
  const letters: DlqEntry[] = [];
  if (options.id !== undefined) {
    for await (const page of selectedLetters(context, queue, { ...options, limit })) {
      letters.push(...page.map(({ entry }) => entry));
    }
    return options.newest ? letters.reverse() : letters;
  }
  const filter = filterOf(options);
  let after: string | undefined;
  do {
    context.signal.throwIfAborted();
    const page = await queue.getDlq({
      ...filter,
      order: options.newest ? 'newest' : 'oldest',
      limit: Math.min(limit - letters.length, 1_000),
      ...(after !== undefined && { after }),
    });
    letters.push(...page.entries);
    after = page.next;
  } while (after !== undefined && letters.length < limit);
  return letters;
}

/**
 * For a command that found nothing.
 * @throws CliError (not found) if it was told ids: none of them exists
 */
export function requireIds(queue: string, { id }: SelectionOptions, found: number): void {
  if (id === undefined || found > 0) return;
  const ids = id.map((each) => cell(each)).join(', ');
  throw notFound(undefined, `Queue "${cell(queue)}" has no such dead letter: ${ids}.`);
}

/** Whether a command that changes dead letters has been told which. */
export function isSelective(options: SelectionOptions): boolean {
  return Object.keys(selectionOf(options)).length > 0;
}

export function filterOf({ reason, name, since, until, text }: FilterOptions): DlqFilter {
  if (since !== undefined && until !== undefined && since >= until) {
    throw usageError('--since must be before --until.');
  }
  return {
    ...(reason !== undefined && { reason: reason }),
    ...(name !== undefined && { name }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(text !== undefined && { text }),
  };
}

export function selectionOf(options: SelectionOptions): DlqSelection {
  return { ...filterOf(options), ...(options.id !== undefined && { ids: options.id }) };
}

/** When it was dead-lettered, in unix ms. Where the field is missing, the time in its id. */
export function failedAtOf({ failedAt, dlqId }: DlqEntry): number {
  return failedAt !== undefined && Number.isFinite(failedAt) ? failedAt : Number(dlqId.split('-')[0]);
}
