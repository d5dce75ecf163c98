import { nearestKeys } from '../../engine/config/nearest-key.js';
import type { JobSchedulerJson, Queue } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { notFound } from '../frame/errors.js';
import { confirm } from '../frame/prompt.js';
import { orderOf, priorityText } from '../jobs/order.js';
import type { Order } from '../jobs/order.js';
import { printTable } from '../output/table.js';
import type { Column } from '../output/table.js';
import { cell, grouped, iso, moment, plural, relative, span } from '../output/values.js';

/** Most schedules that are read for a suggestion. */
const MOST_NAMES = 1_000;

export async function list(
  context: Context,
  [name]: readonly [string],
  { limit }: { readonly limit?: number },
): Promise<void> {
  const { out } = context;
  const queue = await context.queue(name);
  const total = await queue.getJobSchedulersCount();
  const schedules = await queue.getJobSchedulers(0, limit === undefined ? -1 : limit - 1, true);
  out.document({ queue: name, total, schedules: schedules.map(scheduleJson) });
  if (schedules.length === 0) {
    out.text('There are no schedules.');
    return;
  }
  const now = Date.now();
  const next = ({ next: at }: JobSchedulerJson): string => (at === undefined ? 'paused' : relative(at, now));
  printTable(
    out,
    [
      { title: 'ID', value: ({ key }) => cell(key), least: 12 },
      { title: 'NAME', value: ({ name: jobName }) => cell(jobName), keep: 4, least: 8 },
      { title: 'RUNS', value: (each) => patternOf(each), keep: 6, least: 10 },
      {
        title: 'NEXT',
        value: next,
        color: (text, { paused }) => (paused ? out.colors.yellow(text) : text),
      },
      { title: 'AT', value: ({ next: at }) => (at === undefined ? '–' : iso(at)), keep: 2 },
      ...orderColumns(schedules),
      { title: 'SO FAR', value: ({ iterationCount }) => grouped(iterationCount), right: true, keep: 3 },
      { title: 'OWNER', value: ({ owner }) => cell(owner), keep: 1, least: 6 },
    ],
    schedules,
  );
  if (schedules.length < total) out.text(`${grouped(schedules.length)} of ${plural(total, 'schedule')}.`);
}

/** A schedule in JSON. docs/cli.md documents it. */
function scheduleJson(schedule: JobSchedulerJson): object {
  const { key, name, pattern, tz, every, next, iterationCount, limit, paused, owner } = schedule;
  return {
    id: key,
    name,
    pattern: pattern ?? null,
    tz: tz ?? null,
    every: every ?? null,
    next: next === undefined ? null : iso(next),
    runs: iterationCount,
    limit: limit ?? null,
    paused,
    owner: owner ?? null,
    ...orderOfJobs(schedule),
  };
}

function orderOfJobs({ template }: JobSchedulerJson): Order {
  return orderOf(template.opts ?? {});
}

/** What says in which order its jobs start, if one of the schedules has it. */
function orderColumns(schedules: readonly JobSchedulerJson[]): Column<JobSchedulerJson>[] {
  const orders = schedules.map(orderOfJobs);
  const columns: Column<JobSchedulerJson>[] = [];
  if (orders.some((order) => priorityText(order) !== undefined)) {
    columns.push({
      title: 'PRIORITY',
      value: (each) => priorityText(orderOfJobs(each)) ?? '–',
      right: true,
      keep: 2,
    });
  }
  if (orders.some(({ group }) => group !== null)) {
    columns.push({
      title: 'GROUP',
      value: (each) => cell(orderOfJobs(each).group ?? undefined),
      keep: 2,
      least: 8,
    });
  }
  return columns;
}

function patternOf({ pattern, every, tz }: JobSchedulerJson): string {
  if (every !== undefined) return `every ${span(every)}`;
  return cell(`${pattern ?? ''}${tz === undefined || tz === 'UTC' ? '' : ` ${tz}`}`);
}

export async function remove(context: Context, [name, id]: readonly [string, string]): Promise<void> {
  const queue = await withSchedule(context, name, id);
  await confirm(context.out, context.globals.yes, context.signal, {
    question: `Remove the schedule "${cell(id)}" of "${cell(name)}"?`,
  });
  const removed = await queue.removeJobScheduler(id);
  context.out.document({ queue: name, id, removed });
  context.out.text(removed ? `Removed the schedule ${cell(id)}.` : 'The schedule was gone already.');
}

export async function run(context: Context, [name, id]: readonly [string, string]): Promise<void> {
  const queue = await withSchedule(context, name, id);
  const job = await queue.runJobScheduler(id);
  const added = !job.duplicate;
  context.out.document({ queue: name, id, added, jobId: added ? job.id : null });
  context.out.text(
    added
      ? `Added job ${cell(job.id)}.`
      : 'Nothing was added: a job of the schedule is unfinished, and it has skipIfRunning.',
  );
}

export async function pause(context: Context, [name, id]: readonly [string, string]): Promise<void> {
  const queue = await withSchedule(context, name, id);
  const changed = await queue.pauseJobScheduler(id);
  context.out.document({ queue: name, id, paused: true, changed });
  context.out.text(changed ? `Paused the schedule ${cell(id)}.` : 'The schedule was paused already.');
}

export async function resume(context: Context, [name, id]: readonly [string, string]): Promise<void> {
  const queue = await withSchedule(context, name, id);
  const changed = await queue.resumeJobScheduler(id);
  const next = (await queue.getJobScheduler(id))?.next;
  context.out.document({
    queue: name,
    id,
    paused: false,
    changed,
    next: next === undefined ? null : iso(next),
  });
  context.out.text(changed ? `Resumed the schedule ${cell(id)}.` : 'The schedule was not paused.');
  context.out.text(next === undefined ? 'It has no run left.' : `Next run: ${moment(next)}`);
}

/** @throws CliError (not found) that names the nearest schedules */
async function withSchedule(context: Context, name: string, id: string): Promise<Queue> {
  const queue = await context.queue(name);
  if ((await queue.getJobScheduler(id)) !== undefined) return queue;
  const keys = (await queue.getRepeatableJobs(MOST_NAMES)).map(({ key }) => key);
  const nearest = nearestKeys(id, keys, 3).map((key) => `"${cell(key)}"`);
  throw notFound(
    'CMQ-111',
    `Queue "${cell(name)}" has no schedule "${cell(id)}".`,
    nearest.length > 0 ? `Did you mean ${nearest.join(', ')}?` : `It has ${plural(keys.length, 'schedule')}.`,
  );
}
