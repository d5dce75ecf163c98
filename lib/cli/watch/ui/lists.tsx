import type { ReactNode } from 'react';
import { printable } from '../../../engine/base/printable.js';
import type { DlqEntry, WorkerInfo } from '../../../engine/index.js';
import { cell, grouped, manyLines, moment, relative } from '../../output/values.js';
import type { LettersView, View } from '../controller.js';
import { scrollTo } from '../layout.js';
import { left, right, wrap } from '../text.js';
import { Panel } from './line.js';
import { busyText } from './panels.js';
import type { Span } from './line.js';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** All workers of a queue. */
export function WorkerList(
  props: Size & { queue: string; workers: readonly WorkerInfo[]; first: number },
): ReactNode {
  const { queue, workers, width, height } = props;
  const room = width - 4;
  const isWide = room >= 90;
  const name = Math.max(8, room - (isWide ? 66 : 26));
  const row = (title: string, ...rest: readonly string[]): string =>
    left(title, name) +
    (isWide
      ? right(rest[0] ?? '', 9) +
        right(rest[1] ?? '', 10) +
        right(rest[2] ?? '', 9) +
        right(rest[3] ?? '', 14)
      : '') +
    right(rest[4] ?? '', 12) +
    right(rest[5] ?? '', 12);
  const lines: Span[][] = workers.slice(props.first, props.first + height - 3).map((worker) => {
    const { host, pid, version, startedAt, lastSeen, leaseMs, paused } = worker;
    // A worker of a third party does not say who it is.
    const who = printable(host === undefined ? worker.id : `${host} ${worker.name}`);
    const text = row(
      who,
      pid === undefined ? '–' : String(pid),
      cell(version),
      leaseMs === undefined ? '–' : `${String(Math.round(leaseMs / 1000))}s`,
      startedAt === undefined ? '–' : relative(startedAt),
      busyText(worker),
      relative(lastSeen),
    );
    return [{ text }, ...(paused ? [{ text: ' paused', color: 'yellow' as const }] : [])];
  });
  const titles: Span[] = [
    {
      text: row('HOST, NAME', 'PID', 'VERSION', 'LEASE', 'STARTED', 'RUNNING', 'SEEN'),
      bold: true,
      dim: true,
    },
  ];
  const none: Span[][] = [
    [{ text: 'No worker has reported itself. Jobs of this queue wait until one starts.', color: 'yellow' }],
  ];
  return (
    <Panel
      title={[
        { text: `Workers of ${printable(queue)}`, bold: true },
        { text: ` · ${grouped(workers.length)}` },
      ]}
      width={width}
      height={height}
      lines={workers.length === 0 ? none : [titles, ...lines]}
    />
  );
}

/** The newest dead letters of a queue. */
export function LetterList(props: Size & { view: LettersView; total: number; first: number }): ReactNode {
  const { view, width, height, first } = props;
  const title: Span[] = [
    { text: `Dead letters of ${printable(view.queue)}`, bold: true },
    { text: ` · ${grouped(props.total)}, newest first` },
  ];
  const lines = linesOfLetters(view, width - 4, first, height - 2);
  return <Panel title={title} width={width} height={height} lines={lines} />;
}

function linesOfLetters(
  { letters, selected }: LettersView,
  width: number,
  first: number,
  rows: number,
): Span[][] {
  if (letters === undefined) return [[{ text: 'Reading …', dim: true }]];
  if (letters.length === 0) return [[{ text: 'There are no dead letters.', color: 'green' }]];
  const isWide = width >= 76;
  return letters.slice(first, first + rows).map((letter, i) => {
    const ago = letter.failedAt === undefined ? '–' : relative(letter.failedAt);
    const spans: Span[] = [
      { text: `${left(ago, 11)} `, dim: true },
      { text: `${left(cell(letter.name), 18)} ` },
      ...(isWide ? [{ text: `${left(cell(letter.jobId), 26)} `, dim: true }] : []),
      { text: `${left(letter.reason, 18)} `, color: 'red' as const },
      { text: printable(letter.detail ?? '') },
    ];
    if (first + i !== selected) return spans;
    const text = spans.map((one) => one.text).join('');
    return [{ text: left(text, width), inverse: true, bold: true }];
  });
}

/** One dead letter: what is known of it, its data, and the stack of its last error. */
export function Letter(props: Size & { letter: DlqEntry; first: number }): ReactNode {
  const { letter, width, height } = props;
  const lines = letterLines(letter, width - 4);
  const first = Math.max(0, Math.min(props.first, lines.length - (height - 2)));
  const more =
    lines.length > height - 2
      ? ` · lines ${String(first + 1)}–${String(Math.min(lines.length, first + height - 2))} of ${String(lines.length)}`
      : '';
  return (
    <Panel
      title={[{ text: `Dead letter ${printable(letter.jobId ?? letter.dlqId)}`, bold: true }, { text: more }]}
      width={width}
      height={height}
      lines={lines.slice(first)}
    />
  );
}

const FACT = 11;

function letterLines(letter: DlqEntry, width: number): Span[][] {
  const facts: readonly (readonly [string, string])[] = [
    ['name', cell(letter.name)],
    ['reason', printable(letter.reason)],
    ['failed', moment(letter.failedAt)],
    ['attempts', letter.attempts === undefined ? '–' : String(letter.attempts)],
    ['error', cell(letter.detail)],
    ['dead letter', letter.dlqId],
  ];
  const lines: Span[][] = facts.flatMap(([name, value]) =>
    wrap(value, width - FACT - 1).map((text, i) => [
      { text: `${left(i === 0 ? name : '', FACT)} `, dim: true },
      { text, ...(name === 'error' && { color: 'red' as const }) },
    ]),
  );
  const data =
    letter.jobId === undefined
      ? `cannot be decoded: ${letter.payload.toString('hex').slice(0, 2_000)}`
      : manyLines(letter.data);
  lines.push([], [{ text: 'Data', bold: true }], ...wrap(data, width).map((text) => [{ text }]));
  if (letter.stack !== undefined) {
    const stack = letter.stack.split('\n').map(printable).join('\n');
    lines.push(
      [],
      [{ text: 'Stack', bold: true }],
      ...wrap(stack, width).map((text) => [{ text, dim: true }]),
    );
  }
  return lines;
}

const HELP: readonly (readonly [string, string])[] = [
  ['up, down, Tab', 'select a queue; PgUp, PgDn, Home and End work too'],
  ['p', 'pause the queue on all workers, or let it run again. Asks first'],
  ['d', 'its dead letters: Enter opens one, with data and stack'],
  ['r', 'replay dead letters: asks how many, and whether you are sure'],
  ['w', 'its workers: host, process, running jobs, last seen'],
  ['g', 'look for new queues now, and not in 15 seconds'],
  ['q, Ctrl-C', 'quit'],
  ['Ctrl-Z', 'back to the shell; fg returns'],
  ['', ''],
  ['queued', 'jobs per second that began to wait: added, due, retried, replayed'],
  ['started', 'runs per second that began'],
  ['done', 'jobs per second that completed'],
  ['failed', 'runs per second that failed, with a retry or without'],
  ['>', 'at least: Redis dropped events before they could be read'],
  ['oldest', 'how long the oldest waiting job has waited'],
];

export function HelpText({ width, height }: Size): ReactNode {
  const name = width >= 60 ? 15 : 10;
  const lines: Span[][] = HELP.flatMap(([key, what]) =>
    wrap(what, width - 4 - name).map((text, i) => [
      { text: left(i === 0 ? key : '', name), bold: true, color: 'cyan' as const },
      { text },
    ]),
  );
  return (
    <Panel title={[{ text: 'Keys and words', bold: true }]} width={width} height={height} lines={lines} />
  );
}

/** The first visible dead letter. */
export function firstOf(view: Extract<View, { kind: 'dead letters' }>, height: number): number {
  const rows = Math.max(1, height - 2);
  return scrollTo(view.selected, Math.floor(view.selected / rows) * rows, rows, view.letters?.length ?? 0);
}
