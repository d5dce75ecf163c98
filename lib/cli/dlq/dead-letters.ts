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
 * Before a command does anything: a mistyped id is not passed over in silence, whatever the other ids and filters select.
 * @throws CliError (not found) for ids that no dead letter has
 */
export async function requireIds(
  context: Context,
  queue: Queue,
  { id: ids }: SelectionOptions,
): Promise<void> {
  if (ids === undefined) return;
  const missing = new Set(ids);
  for await (const page of selectedLetters(context, queue, { id: ids })) {
    for (const { entry } of page) {
      missing.delete(entry.dlqId);
      if (entry.jobId !== undefined) missing.delete(entry.jobId);
    }
  }
  if (missing.size === 0) return;
  const unknown = [...missing].map((id) => cell(id)).join(', ');
  const hint =
    missing.size < new Set(ids).size ? 'Nothing was done, also not with the other ids.' : undefined;
  throw notFound('CMQ-106', `Queue "${cell(queue.name)}" has no such dead letter: ${unknown}.`, hint);
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
