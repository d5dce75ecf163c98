import Table from 'cli-table3';
import stringWidth from 'string-width';
import type { Output } from './output.js';

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  /** The text of a cell, escaped. */
  readonly value: (row: Row) => string;
  /** How to color the text of a cell. */
  readonly color?: (text: string, row: Row) => string;
  readonly right?: boolean;
  /** On a narrow terminal, the columns with the lowest keep are left out first. Default: 9, never left out. */
  readonly keep?: number;
  /** The column may be cut down to this width. Default: it is not cut. */
  readonly least?: number;
}

const GAP = 2;
const NEVER = 9;
const LEAST_OF_ALL = 4;
/** In a pipe, a longer cell makes its own line longer, and no other one. */
const WIDEST_IN_PIPE = 40;

const PLAIN = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((name) => [name, '']),
);

/** Prints a table that fits the terminal. In a pipe it has no colors, and nothing is left out or cut off. */
export function printTable<Row>(out: Output, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  for (const line of tableLines(out, columns, rows)) out.text(line);
}

export function tableLines<Row>(
  out: Pick<Output, 'width' | 'colors'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string[] {
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const natural = columns.map((column, index) =>
    Math.max(stringWidth(column.title), ...cells.map((row) => stringWidth(row[index] ?? ''))),
  );
  if (out.width === Infinity) return pipedLines(out, columns, rows, cells, natural);
  const shown = fit(columns, natural, out.width);
  const table = new Table({
    chars: { ...PLAIN, middle: ' '.repeat(GAP) },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: shown.map(({ width }) => width),
    colAligns: shown.map(({ index }) => (columns[index]?.right ? 'right' : 'left')),
    truncate: '…',
  });
  table.push(shown.map(({ index }) => out.colors.bold(columns[index]?.title ?? '')));
  for (const [at, row] of rows.entries()) {
    table.push(
      shown.map(({ index }) => {
        const text = cells[at]?.[index] ?? '';
        return columns[index]?.color?.(text, row) ?? text;
      }),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function pipedLines<Row>(
  { colors }: Pick<Output, 'colors'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  cells: readonly (readonly string[])[],
  natural: readonly number[],
): string[] {
  const line = (texts: readonly string[], color: (text: string, at: number) => string): string =>
    columns
      .map(({ right }, at) => {
        const text = texts[at] ?? '';
        const space = Math.max(0, Math.min(natural[at] ?? 0, WIDEST_IN_PIPE) - stringWidth(text));
        return right ? ' '.repeat(space) + color(text, at) : color(text, at) + ' '.repeat(space);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return [
    line(
      columns.map(({ title }) => title),
      colors.bold,
    ),
    ...rows.map((row, index) =>
      line(cells[index] ?? [], (text, at) => columns[at]?.color?.(text, row) ?? text),
    ),
  ];
}

/** Which columns are shown, and how wide. */
function fit(
  columns: readonly Column<never>[],
  natural: readonly number[],
  width: number,
): { index: number; width: number }[] {
  let shown = columns.map((column, index) => ({
    index,
    width: natural[index] ?? 0,
    least: Math.min(natural[index] ?? 0, column.least ?? natural[index] ?? 0),
    keep: column.keep ?? NEVER,
  }));
  const gaps = (): number => GAP * (shown.length - 1);
  const needed = (): number => shown.reduce((sum, { least }) => sum + least, gaps());
  while (needed() > width && shown.length > 1) {
    const lowest = Math.min(...shown.map(({ keep }) => keep));
    if (lowest === NEVER) break;
    const drop = shown.findLast(({ keep }) => keep === lowest);
    shown = shown.filter((column) => column !== drop);
  }
  // Nothing may be left out any more, so that even columns that are not cut otherwise become narrower.
  if (needed() > width) for (const column of shown) column.least = Math.min(column.least, LEAST_OF_ALL);
  let excess = shown.reduce((sum, column) => sum + column.width, gaps()) - width;
  while (excess > 0) {
    const widest = shown.filter((column) => column.width > column.least).sort((a, b) => b.width - a.width)[0];
    if (!widest) break;
    widest.width -= 1;
    excess -= 1;
  }
  return shown;
}

/** Prints names and values, one pair a line. */
export function printPairs(out: Output, pairs: readonly (readonly [string, string | undefined])[]): void {
  const given = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const widest = Math.max(...given.map(([name]) => stringWidth(name)));
  for (const [name, value] of given) {
    const lines = value.split('\n');
    out.text(`${out.colors.dim(name.padEnd(widest))}  ${lines[0] ?? ''}`);
    for (const line of lines.slice(1)) out.text(`${' '.repeat(widest)}  ${line}`);
  }
}
