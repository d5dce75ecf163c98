import { Box } from 'ink';
import type { ReactNode } from 'react';
import { printable } from '../../../engine/base/printable.js';
import { span } from '../../output/values.js';
import type { QueueView } from '../monitor.js';
import { sparkline } from '../sparkline.js';
import type { Glyphs } from '../glyphs.js';
import { left, perSecond, right, short } from '../text.js';
import { Line, useGlyphs } from './line.js';
import type { Span } from './line.js';

/** A column of numbers. On a narrow screen, those with the lowest `keep` are left out first. */
interface Column {
  readonly title: string;
  readonly width: number;
  readonly keep: number;
  readonly cell: (queue: QueueView) => Span;
}

const GAP = 2;
const LEAST_NAME = 12;
const MOST_NAME = 40;
const SPARK = 24;
/** A job that has waited longer than this deserves a look. */
const LONG_WAIT_MS = 60_000;

const COLUMNS: readonly Column[] = [
  { title: 'WAITING', width: 7, keep: 9, cell: ({ backlog: b }) => ({ text: b ? short(b.waiting) : '' }) },
  { title: 'ACTIVE', width: 6, keep: 6, cell: ({ backlog: b }) => ({ text: b ? short(b.active) : '' }) },
  { title: 'DELAYED', width: 7, keep: 4, cell: ({ backlog: b }) => ({ text: b ? short(b.delayed) : '' }) },
  {
    title: 'DEAD',
    width: 5,
    keep: 8,
    cell: ({ backlog: b }) => ({
      text: b ? short(b.deadLetters) : '',
      ...(b && b.deadLetters > 0 && { color: 'red' }),
    }),
  },
  {
    title: 'OLDEST',
    width: 6,
    keep: 5,
    cell: ({ backlog: b }) => ({
      text: b && b.waiting > 0 ? span(b.oldestWaitingMs) : '–',
      ...(b && b.waiting > 0 && b.oldestWaitingMs > LONG_WAIT_MS ? { color: 'yellow' } : {}),
      ...(b?.waiting === 0 && { dim: true }),
    }),
  },
  { title: 'IN/s', width: 6, keep: 3, cell: (queue) => rateCell(queue, 'queued') },
  { title: 'DONE/s', width: 6, keep: 7, cell: (queue) => rateCell(queue, 'completed', 'green') },
  { title: 'FAIL/s', width: 6, keep: 2, cell: (queue) => rateCell(queue, 'failed', 'red') },
];

function rateCell(
  { tail: { rates } }: QueueView,
  name: 'queued' | 'completed' | 'failed',
  color?: 'red' | 'green',
): Span {
  const rate = rates.perSecond(name);
  const text = `${rates.isPartial() && rate > 0 ? '>' : ''}${perSecond(rate)}`;
  return rate === 0 ? { text, dim: true } : { text, ...(color && { color }) };
}

export function QueueTable(props: {
  queues: readonly QueueView[];
  selected: number;
  first: number;
  rows: number;
  hasTitles: boolean;
  width: number;
}): ReactNode {
  const { queues, width, first, rows } = props;
  const glyphs = useGlyphs();
  const columns = columnsFor(width);
  const used = columns.reduce((sum, column) => sum + column.width + GAP, 0);
  const room = width - used - 2;
  // Long names have room before the history has.
  const longest = Math.max(LEAST_NAME, ...queues.map(({ name }) => printable(name).length + 4));
  const spark =
    room - Math.min(longest, MOST_NAME) >= 10
      ? Math.min(SPARK * 3, room - Math.min(longest, MOST_NAME) - GAP)
      : 0;
  const name = room - (spark > 0 ? spark + GAP : 0);
  const titles: Span[] = [
    { text: `  ${left('QUEUE', name)}` },
    ...columns.map(({ title, width: w }) => ({ text: ' '.repeat(GAP) + right(title, w) })),
    ...(spark > 0 ? [{ text: ' '.repeat(GAP) + left(`DONE, LAST ${String(spark)} s`, spark) }] : []),
  ].map((one) => ({ ...one, bold: true, dim: true }));
  const visible = queues.slice(first, first + rows);
  return (
    <Box flexDirection="column" flexShrink={0}>
      {props.hasTitles && <Line spans={titles} width={width} />}
      {visible.map((queue, i) => {
        const isSelected = first + i === props.selected;
        const spans = rowOf(queue, columns, name, spark, isSelected, glyphs);
        return (
          <Line
            key={queue.name}
            spans={isSelected ? selectedSpans(spans, spark > 0 && queue.problem === undefined) : spans}
            width={width}
          />
        );
      })}
      {Array.from({ length: Math.max(0, rows - visible.length) }, (_, i) => (
        <Line key={`empty ${String(i)}`} spans={[]} width={width} />
      ))}
    </Box>
  );
}

function rowOf(
  queue: QueueView,
  columns: readonly Column[],
  name: number,
  spark: number,
  isSelected: boolean,
  glyphs: Glyphs,
): Span[] {
  const mark = isSelected ? glyphs.selected : ' ';
  const paused = queue.backlog?.paused ? ` ${glyphs.paused}` : '';
  const shown = left(printable(queue.name), name - paused.length);
  const head: Span[] = [{ text: `${mark} ` }, ...nameSpans(shown, paused)];
  if (queue.problem !== undefined) {
    return [...head, { text: ' '.repeat(GAP) + printable(queue.problem), color: 'red' }];
  }
  const cells = columns.map((column) => {
    const cell = column.cell(queue);
    return { ...cell, text: ' '.repeat(GAP) + right(cell.text, column.width) };
  });
  const line = spark > 0 ? sparkline(queue.tail.rates.series('completed'), spark, glyphs) : '';
  return [
    ...head,
    ...cells,
    ...(spark > 0 ? [{ text: ' '.repeat(GAP) }, { text: line, color: 'green' as const }] : []),
  ];
}

/** The mark of a paused queue follows its name. */
function nameSpans(shown: string, paused: string): Span[] {
  if (paused === '') return [{ text: shown }];
  const text = shown.trimEnd();
  return [{ text }, { text: paused, color: 'yellow' }, { text: ' '.repeat(shown.length - text.length) }];
}

/** Colors on an inverse line become backgrounds, and the text is hard to read. The history keeps its color. */
function selectedSpans(spans: readonly Span[], hasHistory: boolean): Span[] {
  const texts = hasHistory ? spans.slice(0, -2) : spans;
  return [...texts.map(({ text }) => ({ text, inverse: true, bold: true })), ...spans.slice(texts.length)];
}

function columnsFor(width: number): readonly Column[] {
  let columns = [...COLUMNS];
  const needed = (): number => columns.reduce((sum, column) => sum + column.width + GAP, 2 + LEAST_NAME);
  while (columns.length > 0 && needed() > width) {
    const lowest = Math.min(...columns.map(({ keep }) => keep));
    columns = columns.filter(({ keep }) => keep !== lowest);
  }
  return columns;
}
