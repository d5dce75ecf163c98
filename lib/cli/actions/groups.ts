import type { GroupInfo, ListedStatus, Queue } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { limitsJson } from '../inspect/group-limits.js';
import { absence, isKnownGroup, requireGroup, suggestion } from '../inspect/known-group.js';
import { printTable } from '../output/table.js';
import { cell, grouped, plural, shellWord } from '../output/values.js';

const DEFAULT_LIMIT = 50;

interface ListOptions {
  readonly status?: ListedStatus;
  readonly limit?: number;
  readonly offset?: number;
}

interface Row extends GroupInfo {
  readonly active: number;
}

export async function listGroups(
  context: Context,
  [name]: readonly [string],
  { status, limit = DEFAULT_LIMIT, offset = 0 }: ListOptions,
): Promise<void> {
  const { out } = context;
  const queue = await context.queue(name);
  const [defaults, paused] = await Promise.all([queue.getGroupDefaults(), queue.getGroupsByStatus('paused')]);
  const idle = paused.filter(({ count }) => count === 0);
  const { total, groups } =
    status === 'paused'
      ? { total: paused.length, groups: paused.slice(offset, offset + limit) }
      : await readPage(queue, status, offset, limit, status === undefined ? idle : []);
  const rows: Row[] = [];
  for (const group of groups) {
    context.signal.throwIfAborted();
    rows.push({ ...group, active: await queue.getGroupActiveCount(group.id) });
  }
  out.document({
    queue: name,
    total,
    defaults: limitsJson(defaults),
    pausedWithoutJobs: idle.length,
    groups: rows.map(groupJson),
  });
  if (rows.length > 0) printGroups(out, rows);
  else {
    out.text(
      `No group ${status === undefined ? 'has waiting jobs, or is paused' : `is ${status}`}${offset > 0 ? ', beyond the offset' : ''}.`,
    );
  }
  if (rows.length > 0 && rows.length < total) {
    out.text(`\n${grouped(rows.length)} of ${plural(total, 'group')}. --limit and --offset show more.`);
  }
}

/** @param idle groups without waiting jobs, which come after those that have some */
async function readPage(
  queue: Queue,
  status: ListOptions['status'],
  start: number,
  limit: number,
  idle: readonly GroupInfo[],
): Promise<{ total: number; groups: GroupInfo[] }> {
  const end = start + limit - 1;
  const [count, groups] =
    status === undefined
      ? await Promise.all([queue.getGroupsCount(), queue.getGroups(start, end)])
      : await Promise.all([queue.getGroupsCountByStatus(), queue.getGroupsByStatus(status, start, end)]).then(
          ([counts, listed]) => [counts[status], listed] as const,
        );
  const from = Math.max(0, start - count);
  return {
    total: count + idle.length,
    groups: [...groups, ...idle.slice(from, from + limit - groups.length)],
  };
}

/** The id comes last: it may be so long that columns behind it would be far away. */
function printGroups(out: Context['out'], rows: readonly Row[]): void {
  const { green, yellow } = out.colors;
  printTable(
    out,
    [
      { title: 'WAITING', value: ({ count }) => grouped(count), right: true },
      { title: 'ACTIVE', value: ({ active }) => grouped(active), right: true, keep: 5 },
      {
        title: 'STATUS',
        value: (row: Row) => row.status,
        color: (text) => (text === 'waiting' ? green(text) : yellow(text)),
        keep: 7,
      },
      { title: 'GROUP', value: ({ id }) => cell(id), least: 8 },
    ],
    rows,
  );
}

/** A group in JSON. docs/cli.md documents it. */
function groupJson({ id, status, count, active }: Row): object {
  return { id, status, waiting: count, active };
}

/** A group may be paused before its first job. So this only warns of an id that may be wrong. */
export async function pauseGroup(context: Context, queue: Queue, group: string): Promise<void> {
  if (!(await isKnownGroup(queue, group))) {
    const hint = await suggestion(queue, group);
    context.out.note(
      `${absence(queue, group)} It is paused all the same.${hint === undefined ? '' : ` ${hint}`}`,
    );
  }
  const changed = await queue.pauseGroup(group);
  const [waiting, active] = await Promise.all([
    queue.getGroupJobsCount(group),
    queue.getGroupActiveCount(group),
  ]);
  context.out.document({ queue: queue.name, group, paused: true, changed, active, waiting });
  context.out.text(
    changed
      ? `Paused group "${cell(group)}" of "${cell(queue.name)}".`
      : `Group "${cell(group)}" of "${cell(queue.name)}" was paused already.`,
  );
  context.out.text(
    `${plural(active, 'active job')} will finish, ${waits(waiting)}. Resume: ${resumeCommand(queue.name, group)}`,
  );
}

export async function resumeGroup(context: Context, queue: Queue, group: string): Promise<void> {
  await requireGroup(queue, group);
  const changed = await queue.resumeGroup(group);
  const waiting = await queue.getGroupJobsCount(group);
  const status = await queue.getGroupStatus(group);
  context.out.document({ queue: queue.name, group, paused: false, changed, waiting, status });
  context.out.text(
    changed
      ? `Resumed group "${cell(group)}" of "${cell(queue.name)}".`
      : `Group "${cell(group)}" of "${cell(queue.name)}" was not paused.`,
  );
  context.out.text(`${waits(waiting)}.`);
}

/** The command that ends a pause, as a shell takes it: a name that begins with "-" would be an option. */
export function resumeCommand(queue: string, group?: string): string {
  const name = shellWord(queue);
  const option = group === undefined ? '' : ` --group ${shellWord(group)}`;
  return name.startsWith('-') ? `chasqui resume${option} -- ${name}` : `chasqui resume ${name}${option}`;
}

export function waits(waiting: number): string {
  return `${plural(waiting, 'job')} wait${waiting === 1 ? 's' : ''}`;
}
