import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { confirm } from '../frame/prompt.js';
import { absence, groupNotFound, isKnownGroup } from '../inspect/known-group.js';
import { countWaiting } from '../jobs/counts.js';
import type { CLEANED } from '../jobs/states.js';
import { longOperation } from '../output/long-operation.js';
import { cell, grouped, plural, span } from '../output/values.js';

interface DrainOptions {
  readonly group?: string;
  readonly delayed?: boolean;
  readonly dryRun?: boolean;
}

export async function drain(
  context: Context,
  [name]: readonly [string],
  { group, delayed = false, dryRun }: DrainOptions,
): Promise<void> {
  const { out } = context;
  const queue = await context.queue(name);
  // Only the work itself finds out whether an unknown group has delayed jobs.
  const isUnknown = group !== undefined && !(await isKnownGroup(queue, group));
  if (isUnknown && !delayed) throw await groupNotFound(queue, group, 'waits or is active');
  const waiting = group === undefined ? await countWaiting(queue) : await queue.getGroupJobsCount(group);
  // How many of the delayed jobs are of the group is known when all have been looked at.
  const total = delayed && group === undefined ? waiting + (await queue.getDelayedCount()) : waiting;
  const of = group === undefined ? `"${cell(name)}"` : `group "${cell(group)}" of "${cell(name)}"`;
  const alsoDelayed = group === undefined ? ' or are delayed' : ', and all that are delayed';
  const what = `${plural(total, 'job')} of ${of} that wait${delayed ? alsoDelayed : ''}`;
  const facts = { queue: name, ...(group !== undefined && { group }) };
  if (dryRun) {
    if (isUnknown) out.note(absence(queue, group));
    wouldBe(context, { ...facts, matching: total }, `${what} would be removed.`);
    return;
  }
  await confirm(out, context.globals.yes, context.signal, {
    question: `Remove ${what}?`,
    hasDryRun: true,
  });
  const known = delayed && group !== undefined ? undefined : total;
  const { done: removed } = await longOperation(context, 'Removing', known, grouped, async (operation) => {
    if (group === undefined) await queue.drain(delayed, operation);
    else await queue.drainGroup(group, delayed, operation);
  });
  if (isUnknown && removed === 0) throw await groupNotFound(queue, group, 'waits, is active or is delayed');
  out.document({ ...facts, removed });
  out.text(`Removed ${plural(removed, 'job')}.`);
}

interface CleanOptions {
  readonly older?: number;
  readonly limit?: number;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

type Cleaned = (typeof CLEANED)[number];

export async function clean(
  context: Context,
  [name, state]: readonly [string, Cleaned],
  { older, limit, all, dryRun }: CleanOptions,
): Promise<void> {
  if (all && (older !== undefined || limit !== undefined)) {
    throw usageError('--all excludes --older and --limit.');
  }
  if (!all && older === undefined && limit === undefined) {
    throw usageError('clean needs to know which jobs.', 'Pass --older, --limit or --all.');
  }
  const { out } = context;
  const queue = await context.queue(name);
  // The waiting jobs of a paused queue are counted, and removed, as those of any queue.
  const count = await queue.getJobCountByTypes(state);
  const age = older === undefined ? '' : ` that are older than ${span(older)}`;
  const most = limit === undefined ? '' : `at most ${grouped(limit)} `;
  const what = `${most}${state} jobs of "${cell(name)}"${age} (there are ${grouped(count)} ${state} jobs)`;
  const atMost = Math.min(count, limit ?? count);
  if (dryRun) {
    wouldBe(context, { queue: name, state, atMost }, `It would remove ${what}.`);
    return;
  }
  await confirm(out, context.globals.yes, context.signal, {
    question: `Remove ${what}?`,
    hasDryRun: true,
  });
  const { result: ids } = await longOperation(context, 'Removing', atMost, grouped, (operation) =>
    queue.clean(older ?? 0, limit ?? 0, state, operation),
  );
  out.document({ queue: name, state, removed: ids.length });
  out.text(`Removed ${plural(ids.length, 'job')}.`);
}

export async function obliterate(
  context: Context,
  [name]: readonly [string],
  { force = false, dryRun }: { readonly force?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  const { out } = context;
  const queue = await context.queue(name);
  // Of all types: also those that wait with a priority or in a group.
  const counts = await queue.getJobCounts();
  const schedules = await queue.getJobSchedulersCount();
  const jobs = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const what = `"${cell(name)}" with ${plural(jobs, 'job')} (${grouped(counts.failed)} failed) and ${plural(schedules, 'schedule')}`;
  if (dryRun) {
    wouldBe(context, { queue: name, jobs, schedules }, `${what} would be deleted.`);
    return;
  }
  await confirm(out, context.globals.yes, context.signal, {
    question: `Delete ${what}?`,
    typed: name,
    hasDryRun: true,
  });
  await longOperation(context, 'Deleting', undefined, grouped, (operation) =>
    queue.obliterate({ force, ...operation }),
  );
  out.document({ queue: name, obliterated: true });
  out.text(`Deleted ${what}.`);
}

function wouldBe({ out }: Context, facts: object, text: string): void {
  out.document({ dryRun: true, ...facts });
  out.text(`${text} Nothing was changed.`);
}
