import { printable } from '../../engine/base/printable.js';
import type { Job } from '../../engine/index.js';
import type { Output } from '../output/output.js';
import { printPairs, printTable } from '../output/table.js';
import type { Column } from '../output/table.js';
import {
  cell,
  grouped,
  iso,
  jsonable,
  manyLines,
  moment,
  oneLine,
  relative,
  span,
} from '../output/values.js';

/** A job and the state in which it was found. */
export interface FoundJob {
  readonly job: Job;
  readonly state: string;
}

/** A job in JSON. docs/cli.md documents it. */
export function jobJson({ job, state }: FoundJob): object {
  return {
    id: job.id,
    name: job.name,
    state,
    data: jsonable(job.data),
    priority: job.priority,
    lifo: job.opts.lifo ?? false,
    group: job.groupId ?? null,
    attemptsMade: job.attemptsMade,
    addedAt: iso(job.timestamp),
    runsAt: runsAtOf({ job, state }) === undefined ? null : iso(runsAtOf({ job, state })),
    processedAt: isoOrNull(job.processedOn),
    finishedAt: isoOrNull(job.finishedOn),
    error: job.failedReason ?? null,
    result: jsonable(job.returnvalue),
    progress: jsonable(job.progress),
    worker: job.processedBy ?? null,
  };
}

function isoOrNull(at: number | undefined): string | null {
  return at === undefined ? null : iso(at);
}

function runsAtOf({ job, state }: FoundJob): number | undefined {
  return state === 'delayed' ? Date.now() + job.delay : undefined;
}

export function printJobs(out: Output, jobs: readonly FoundJob[]): void {
  const now = Date.now();
  printTable(
    out,
    [
      { title: 'ID', value: ({ job }) => cell(job.id), least: 12 },
      { title: 'NAME', value: ({ job }) => cell(job.name), least: 8, keep: 7 },
      { title: 'STATE', value: ({ state }) => state, color: (text) => colored(out, text), keep: 6 },
      ...orderColumns(jobs),
      { title: 'ADDED', value: ({ job }) => relative(job.timestamp, now), keep: 4 },
      { title: 'NOTE', value: (found) => noteOf(found), keep: 3, least: 10 },
      { title: 'DATA', value: ({ job }) => oneLine(job.data), keep: 5, least: 12 },
    ],
    jobs,
  );
}

/** What says when the jobs start, if one of them has it. */
function orderColumns(jobs: readonly FoundJob[]): Column<FoundJob>[] {
  const columns: Column<FoundJob>[] = [];
  if (jobs.some(({ job }) => priorityOf(job) !== undefined)) {
    columns.push({ title: 'PRIORITY', value: ({ job }) => priorityOf(job) ?? '–', right: true, keep: 6 });
  }
  if (jobs.some(({ job }) => job.groupId !== undefined)) {
    columns.push({ title: 'GROUP', value: ({ job }) => cell(job.groupId), keep: 6, least: 8 });
  }
  return columns;
}

/** The priority of a job, inside its group if it has one; undefined if it has none. */
function priorityOf({ priority, opts }: Job): string | undefined {
  if (priority > 0) return String(priority);
  return opts.lifo ? 'lifo' : undefined;
}

/** What matters in this state. */
function noteOf({ job, state }: FoundJob): string {
  if (state === 'delayed') return `due in ${span(job.delay)}`;
  if (state === 'failed') return cell(job.failedReason);
  if (state === 'active') return cell(job.processedBy);
  if (state === 'completed' && job.finishedOn !== undefined) return relative(job.finishedOn);
  return '–';
}

export function colored(out: Output, state: string): string {
  const { blue, cyan, green, red, yellow } = out.colors;
  const paint = {
    active: cyan,
    completed: green,
    failed: red,
    delayed: yellow,
    paused: yellow,
    prioritized: blue,
    waiting: blue,
  }[state];
  return paint ? paint(state) : state;
}

/** All that is known of a job. */
export function printJob(out: Output, found: FoundJob): void {
  const { job, state } = found;
  const ran =
    job.processedOn !== undefined && job.finishedOn !== undefined
      ? `, after ${span(job.finishedOn - job.processedOn)}`
      : '';
  printPairs(out, [
    ['id', cell(job.id)],
    ['name', cell(job.name)],
    ['state', colored(out, state)],
    ['priority', priorityOf(job)],
    ['group', job.groupId === undefined ? undefined : cell(job.groupId)],
    ['added', moment(job.timestamp)],
    ['runs', runsAtOf(found) === undefined ? undefined : moment(runsAtOf(found))],
    ['started', job.processedOn === undefined ? undefined : moment(job.processedOn)],
    ['ended', job.finishedOn === undefined ? undefined : `${moment(job.finishedOn)}${ran}`],
    ['attempts', grouped(job.attemptsMade)],
    ['worker', job.processedBy === undefined ? undefined : cell(job.processedBy)],
    ['progress', job.progress === 0 ? undefined : oneLine(job.progress)],
    ['error', job.failedReason === undefined ? undefined : out.colors.red(printable(job.failedReason))],
    ['options', Object.keys(job.opts).length === 0 ? undefined : oneLine(job.opts)],
    ['data', manyLines(job.data)],
    ['result', job.returnvalue === undefined ? undefined : manyLines(job.returnvalue)],
  ]);
  for (const { attempt, startedAt, endedAt, reason, stack, host } of job.attempts ?? []) {
    const took = endedAt === undefined ? 'did not end' : `took ${span(endedAt - startedAt)}`;
    out.text('');
    out.text(
      `${out.colors.bold(`Attempt ${grouped(attempt)}`)}  ${iso(startedAt)}, ${took}, on ${cell(host)}`,
    );
    if (reason !== undefined) out.text(`  ${out.colors.red(printable(reason))}`);
    for (const line of stack?.split('\n').slice(1) ?? []) out.text(`  ${out.colors.dim(printable(line))}`);
  }
}
