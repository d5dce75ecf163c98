import { filterOf, firstLetters, requireIds } from '../dlq/dead-letters.js';
import { letterJson, printLetter } from '../dlq/print.js';
import { GROUPS } from '../dlq/selection.js';
import type { FilterOptions, SelectionOptions } from '../dlq/selection.js';
import type { Context } from '../frame/context.js';
import { progressBar } from '../output/progress.js';
import { printTable } from '../output/table.js';
import { cell, grouped } from '../output/values.js';

const DEFAULT_LIMIT = 20;
/** Reasons and names that the histogram lists. Hours and days are all listed, up to so many. */
const MOST_ROWS = 10;
const MOST_TIMES = 48;

interface PeekOptions extends SelectionOptions {
  readonly newest?: boolean;
  readonly stack?: boolean;
}

export async function peek(context: Context, [name]: readonly [string], options: PeekOptions): Promise<void> {
  const queue = await context.queue(name);
  const { out } = context;
  await requireIds(context, queue, options);
  const letters = await firstLetters(context, queue, options, options.limit ?? DEFAULT_LIMIT);
  const total = await queue.getFailedCount();
  out.document({ queue: name, total, entries: letters.map(letterJson) });
  letters.forEach((entry, index) => {
    if (index > 0) out.text('');
    printLetter(out, entry, options.stack === true);
  });
  if (letters.length === 0) out.text(total === 0 ? 'There are no dead letters.' : 'No dead letter matches.');
  else if (letters.length < total) {
    out.text(`\n${grouped(letters.length)} of ${grouped(total)} dead letters. --limit shows more.`);
  }
}

interface HistogramOptions extends FilterOptions {
  readonly by?: (typeof GROUPS)[number];
}

export async function histogram(
  context: Context,
  [name]: readonly [string],
  options: HistogramOptions,
): Promise<void> {
  const queue = await context.queue(name);
  const { out, signal } = context;
  const filter = filterOf(options);
  const progress = await progressBar(out, 'Counting');
  const counts: Record<string, { key: string; count: number }[]> = {};
  let total = 0;
  for (const by of options.by === undefined ? GROUPS : [options.by]) {
    const counted = await queue.getDlqHistogram({ ...filter, by, signal, onProgress: progress.update });
    total = counted.total;
    counts[by] = counted.groups;
  }
  progress.stop();
  out.document({ queue: name, total, ...counts });
  if (total === 0) {
    const all = await queue.getFailedCount();
    out.text(all === 0 ? 'There are no dead letters.' : 'No dead letter matches.');
    return;
  }
  // The hours of a long time are too many to read.
  const hidden = options.by === undefined && ((counts['hour']?.length ?? 0) > 24 ? 'hour' : 'day');
  const shown = Object.entries(counts).filter(([by]) => by !== hidden);
  shown.forEach(([by, groups], index) => {
    if (index > 0) out.text('');
    bars(context, by, groups);
  });
  out.text(`\n${grouped(total)} dead letters.`);
}

function bars({ out }: Context, by: string, groups: readonly { key: string; count: number }[]): void {
  const isTime = by === 'hour' || by === 'day';
  // The last times are what matters.
  const shown = isTime ? groups.slice(-MOST_TIMES) : groups.slice(0, MOST_ROWS);
  const most = Math.max(...shown.map(({ count }) => count), 1);
  const length = Number.isFinite(out.width) ? Math.max(5, Math.min(30, Math.floor(out.width / 4))) : 30;
  printTable(
    out,
    [
      { title: by.toUpperCase(), value: ({ key }) => cell(key), least: 10 },
      { title: 'JOBS', value: ({ count }) => grouped(count), right: true },
      {
        title: '',
        value: ({ count }) => '█'.repeat(Math.round((count / most) * length)) || '▏',
        color: (text) => out.colors.cyan(text),
        keep: 1,
      },
    ],
    shown,
  );
  const more = groups.length - shown.length;
  if (more > 0) out.text(out.colors.dim(`${grouped(more)} more, with --json`));
}
