import { Box } from 'ink';
import type { ReactNode } from 'react';
import { printable } from '../../../engine/base/printable.js';
import type { CountName } from '../../../engine/admin/watch/rate-history.js';
import type { WorkerInfo } from '../../../engine/index.js';
import { grouped, span } from '../../output/values.js';
import type { Layout } from '../layout.js';
import type { QueueFailure, QueueView } from '../monitor.js';
import { sparkline } from '../sparkline.js';
import type { Glyphs } from '../glyphs.js';
import { left, perSecond, right } from '../text.js';
import { Panel, useGlyphs } from './line.js';
import type { Span } from './line.js';

const RATES: readonly (readonly [name: CountName, title: string, color: Span['color']])[] = [
  ['queued', 'queued', 'blue'],
  ['started', 'started', 'cyan'],
  ['completed', 'done', 'green'],
  ['failed', 'failed', 'red'],
];
const TITLE = 7;
const RATE = 8;

/** The selected queue: its rates, and who works on it. */
export function Panels(props: {
  queue: QueueView;
  workers: readonly WorkerInfo[];
  layout: Layout;
}): ReactNode {
  const { queue, workers, layout } = props;
  const glyphs = useGlyphs();
  return (
    <Box flexShrink={0}>
      <Panel
        title={ratesTitle(queue)}
        width={layout.ratesWidth}
        height={layout.panels}
        lines={rateLines(queue, layout.ratesWidth - 4, glyphs)}
      />
      {layout.workersWidth > 0 && (
        <Panel
          title={workersTitle(workers)}
          width={layout.workersWidth}
          height={layout.panels}
          lines={workerLines(workers, layout.workersWidth - 4, layout.panels - 2, glyphs)}
        />
      )}
    </Box>
  );
}

function ratesTitle({ name, backlog }: QueueView): Span[] {
  const title: Span[] = [{ text: printable(name), bold: true }];
  if (!backlog) return title;
  if (backlog.paused) title.push({ text: ' paused', color: 'yellow', bold: true });
  if (backlog.waiting > 0) title.push({ text: ` · oldest ${span(backlog.oldestWaitingMs)}` });
  if (backlog.due > 0) {
    title.push({ text: ` · ${grouped(backlog.due)} overdue by ${span(backlog.overdueMs)}`, color: 'yellow' });
  }
  return title;
}

function rateLines({ tail: { rates } }: QueueView, width: number, glyphs: Glyphs): Span[][] {
  const room = width - TITLE - RATE - 2;
  const series = RATES.map(([name]) => rates.series(name).slice(-Math.max(0, room)));
  // What is queued, started and done is comparable; failures are few.
  const top = Math.max(...series.slice(0, 3).flat());
  return RATES.map(([name, title, color], i) => {
    const rate = rates.perSecond(name);
    const text = `${rates.isPartial() && rate > 0 ? '>' : ''}${perSecond(rate)}/s`;
    return [
      { text: left(title, TITLE) },
      { text: right(text, RATE), bold: rate > 0, dim: rate === 0 },
      { text: '  ' },
      { text: sparkline(series[i] ?? [], room, glyphs, name === 'failed' ? undefined : top), color },
    ];
  });
}

function workersTitle(workers: readonly WorkerInfo[]): Span[] {
  const running = workers.reduce((sum, worker) => sum + busyOf(worker), 0);
  const room = workers.reduce((sum, worker) => sum + (worker.concurrency ?? 0), 0);
  if (workers.length === 0) return [{ text: 'No workers', color: 'yellow', bold: true }];
  return [
    { text: workers.length === 1 ? '1 worker' : `${grouped(workers.length)} workers`, bold: true },
    { text: ` · ${grouped(running)} of ${grouped(room)} handlers busy` },
  ];
}

const BAR = 10;

function workerLines(workers: readonly WorkerInfo[], width: number, rows: number, glyphs: Glyphs): Span[][] {
  const shown = workers.length > rows ? workers.slice(0, rows - 1) : workers;
  const busy = Math.max(5, ...shown.map((worker) => busyText(worker).length));
  const name = Math.max(8, width - BAR - busy - 4);
  const lines: Span[][] = shown.map((worker) => [
    { text: left(whoOf(worker), name) },
    { text: '  ' },
    { text: right(busyText(worker), busy) },
    { text: '  ' },
    ...busyBar(worker, glyphs),
  ]);
  if (workers.length > shown.length) {
    lines.push([{ text: `${grouped(workers.length - shown.length)} more: press w`, dim: true }]);
  }
  return lines;
}

/** A worker of a third party does not say who it is. */
function whoOf({ host, pid, name, id }: WorkerInfo): string {
  return host === undefined ? printable(id) : printable(`${host}:${String(pid ?? '')} ${name}`);
}

/** How many handlers are busy now. What a worker reports may be seconds old, and what it has fetched is known. */
export function busyOf({ pending, concurrency = Infinity }: WorkerInfo): number {
  return Math.min(pending, concurrency);
}

export function busyText(worker: WorkerInfo): string {
  return `${String(busyOf(worker))}/${String(worker.concurrency ?? '–')}`;
}

function busyBar(worker: WorkerInfo, glyphs: Glyphs): Span[] {
  if (worker.paused) return [{ text: 'paused', color: 'yellow' }];
  // A worker of a third party does not say how many handlers it has.
  if (worker.concurrency === undefined) return [];
  const busy = busyOf(worker);
  const concurrency = Math.max(1, worker.concurrency);
  const full = Math.min(BAR, Math.ceil((busy / concurrency) * BAR));
  return [
    { text: glyphs.full.repeat(full), color: busy >= concurrency ? 'yellow' : 'green' },
    { text: glyphs.empty.repeat(BAR - full), dim: true },
  ];
}

/** What has failed, newest first. */
export function Failures(props: {
  failures: readonly QueueFailure[];
  total: number;
  layout: Layout;
  severalQueues: boolean;
}): ReactNode {
  const { failures, total, layout } = props;
  const title: Span[] =
    total === 0
      ? [{ text: 'Failures', bold: true }, { text: ' · none in the last two minutes' }]
      : [{ text: 'Failures', bold: true }, { text: ` · ${grouped(total)}, newest first` }];
  const lines = failures.map((failure) => failureLine(failure, layout.columns - 4, props.severalQueues));
  return <Panel title={title} width={layout.columns} height={layout.failures} lines={lines} />;
}

function failureLine(failure: QueueFailure, width: number, severalQueues: boolean): Span[] {
  const { at, queue, name, jobId, attempt, outcome, reason } = failure;
  const isWide = width >= 76;
  const what = outcome === 'dead letter' ? 'dead' : outcome === 'cancelled' ? 'cancel' : 'retry';
  const color = outcome === 'dead letter' ? ('red' as const) : ('yellow' as const);
  return [
    { text: `${clock(at)} `, dim: true },
    ...(severalQueues && isWide ? [{ text: `${left(printable(queue), 14)} ` }] : []),
    ...(isWide ? [{ text: `${left(printable(name), 16)} ` }] : []),
    ...(width >= 100 ? [{ text: `${left(printable(jobId), 26)} `, dim: true }] : []),
    { text: `${left(`#${String(attempt)} ${what}`, isWide ? 9 : 7)} `, color },
    { text: printable(reason) },
  ];
}

export function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}
