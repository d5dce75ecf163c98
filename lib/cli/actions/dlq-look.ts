import type { DlqEntry } from '../../engine/index.js';
import type { SelectionOptions } from '../dlq/selection.js';
import { failedAtOf, newestLetters, selectedLetters } from '../dlq/dead-letters.js';
import { letterJson, printLetter } from '../dlq/print.js';
import type { Context } from '../frame/context.js';
import { progressBar } from '../output/progress.js';
import { printTable } from '../output/table.js';
import { cell, grouped, iso, relative, span } from '../output/values.js';

const DEFAULT_LIMIT = 20;
/** Rows of the histogram over time. */
const SPANS = 12;
/** Names and errors that the histogram lists. */
const MOST_ROWS = 10;
const MOST_KINDS = 10_000;

interface PeekOptions extends SelectionOptions {
  readonly newest?: boolean;
  readonly stack?: boolean;
}

export async function peek(context: Context, [name]: readonly [string], options: PeekOptions): Promise<void> {
  const queue = await context.queue(name);
  const { out } = context;
  const limit = options.limit ?? DEFAULT_LIMIT;
  const letters: DlqEntry[] = [];
  if (options.newest) letters.push(...(await newestLetters(context, queue, options, limit)));
  else {
    for await (const page of selectedLetters(context, queue, { ...options, limit })) {
      letters.push(...page.map(({ entry }) => entry));
    }
  }
  const { deadLetters: total } = await queue.getBacklog();
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

export async function histogram(
  context: Context,
  [name]: readonly [string],
  options: SelectionOptions,
): Promise<void> {
  const queue = await context.queue(name);
  const { out } = context;
  const { deadLetters } = await queue.getBacklog();
  const progress = await progressBar(out, 'Counting', deadLetters);
  const reasons = new Map<string, number>();
  const names = new Map<string, number>();
  const errors = new Map<string, number>();
  const times: number[] = [];
  const looked = (done: number): void => {
    progress.update({ done });
  };
  for await (const page of selectedLetters(context, queue, options, looked)) {
    for (const { entry } of page) {
      count(reasons, entry.reason);
      count(names, entry.name);
      count(errors, kindOf(entry.detail));
      times.push(failedAtOf(entry));
    }
  }
  progress.stop();
  const spans = spansOf(times);
  out.document({
    queue: name,
    total: times.length,
    reasons: sorted(reasons).map(([reason, jobs]) => ({ reason, jobs })),
    names: sorted(names).map(([dispatch, jobs]) => ({ name: dispatch, jobs })),
    errors: sorted(errors).map(([error, jobs]) => ({ error, jobs })),
    times: spans.map(({ from, to, jobs }) => ({ from: iso(from), to: iso(to), jobs })),
  });
  if (times.length === 0) {
    out.text(deadLetters === 0 ? 'There are no dead letters.' : 'No dead letter matches.');
    return;
  }
  bars(context, 'REASON', sorted(reasons));
  out.text('');
  bars(context, 'NAME', sorted(names));
  out.text('');
  bars(context, 'ERROR', sorted(errors));
  out.text('');
  bars(
    context,
    'FAILED',
    spans.map(({ from, to, jobs }) => [`${relative(from)}, for ${span(to - from)}`, jobs]),
    SPANS,
  );
}

function bars(
  { out }: Context,
  title: string,
  counts: readonly (readonly [string, number])[],
  most = MOST_ROWS,
): void {
  const shown = counts.slice(0, most);
  const widest = Math.max(...counts.map(([, jobs]) => jobs), 1);
  const length = Number.isFinite(out.width) ? Math.max(5, Math.min(30, Math.floor(out.width / 4))) : 30;
  printTable(
    out,
    [
      { title, value: ([text]) => cell(text), least: 10 },
      { title: 'JOBS', value: ([, jobs]) => grouped(jobs), right: true },
      {
        title: '',
        value: ([, jobs]) => '█'.repeat(Math.round((jobs / widest) * length)) || (jobs > 0 ? '▏' : ''),
        color: (text) => out.colors.cyan(text),
        keep: 1,
      },
    ],
    shown,
  );
  if (counts.length > most) out.text(out.colors.dim(`and ${grouped(counts.length - most)} more`));
}

function count(counts: Map<string, number>, key: string): void {
  // Errors with ids in their text may be all different.
  if (counts.size >= MOST_KINDS && !counts.has(key)) key = '(others)';
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** The first line of an error, with its numbers and ids replaced, so that the same error counts as one. */
function kindOf(detail: string | undefined): string {
  return (detail ?? '')
    .split('\n', 1)
    .join('')
    .slice(0, 200)
    .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '<id>')
    .replaceAll(/\d+/g, '<n>');
}

function spansOf(times: readonly number[]): { from: number; to: number; jobs: number }[] {
  if (times.length === 0) return [];
  let [first, last] = [Infinity, -Infinity];
  for (const at of times) {
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  const width = Math.max(1_000, Math.ceil((last - first + 1) / SPANS));
  const spans = Array.from({ length: Math.ceil((last - first + 1) / width) }, (_, index) => ({
    from: first + index * width,
    to: first + (index + 1) * width,
    jobs: 0,
  }));
  for (const at of times) {
    const span = spans[Math.floor((at - first) / width)];
    if (span) span.jobs += 1;
  }
  return spans;
}
