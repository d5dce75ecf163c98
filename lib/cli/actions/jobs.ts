import type { JobType, Queue } from '../../engine/index.js';
import { STATES, stateHint, stateOf } from '../jobs/states.js';
import { jobJson, printJobs } from '../jobs/print.js';
import type { FoundJob } from '../jobs/print.js';
import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { requireGroup } from '../inspect/known-group.js';
import { progressBar } from '../output/progress.js';
import { grouped, plural } from '../output/values.js';

const DEFAULT_LIMIT = 20;

interface ListOptions {
  readonly state?: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
  readonly asc?: boolean;
  readonly group?: string;
}

export async function listJobs(
  context: Context,
  [name]: readonly [string],
  options: ListOptions,
): Promise<void> {
  const { state, limit = DEFAULT_LIMIT, offset = 0, asc = false, group } = options;
  const { out, signal } = context;
  if (group !== undefined) return listGroup(context, name, group, options);
  const states = statesOf(state);
  const queue = await context.queue(name);
  const counts = await countsOf(queue, states);
  const jobs: FoundJob[] = [];
  for (const each of states) {
    signal.throwIfAborted();
    const found = await queue.getJobs([each], offset, offset + limit - 1, asc);
    jobs.push(...found.map((job) => ({ job, state: each })));
  }
  out.document({ queue: name, counts, jobs: jobs.map(jobJson) });
  if (jobs.length === 0) {
    out.text(`No job is ${states.join(' or ')}${offset > 0 ? ', beyond the offset' : ''}.`);
    return;
  }
  printJobs(out, jobs);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  printRest(out, jobs.length, total);
}

function printRest(out: Context['out'], shown: number, total: number): void {
  if (shown > 0 && shown < total) {
    out.text(`\n${grouped(shown)} of ${plural(total, 'job')}. --limit and --offset show more.`);
  }
}

async function listGroup(
  context: Context,
  name: string,
  group: string,
  { state, limit = DEFAULT_LIMIT, offset = 0, asc }: ListOptions,
): Promise<void> {
  const { out } = context;
  if (state !== undefined || asc !== undefined) {
    throw usageError(
      '--group lists the waiting jobs of a group in their order. It needs no --state and no --asc.',
    );
  }
  const queue = await context.queue(name);
  await requireGroup(queue, group);
  const total = await queue.getGroupJobsCount(group);
  const found = await queue.getGroupJobs(group, offset, offset + limit - 1);
  const jobs = found.map((job) => ({ job, state: 'waiting' as const }));
  out.document({ queue: name, group, counts: { waiting: total }, jobs: jobs.map(jobJson) });
  if (jobs.length === 0) out.text(`No job waits in the group${offset > 0 ? ', beyond the offset' : ''}.`);
  else printJobs(out, jobs);
  printRest(out, jobs.length, total);
}

/** The waiting jobs of a paused queue are listed as waiting, so they count as waiting. */
async function countsOf(queue: Queue, states: readonly JobType[]): Promise<Record<string, number>> {
  const { paused = 0, ...counts } = await queue.getJobCounts(...states, 'paused');
  return { ...counts, ...(counts.waiting !== undefined && { waiting: counts.waiting + paused }) };
}

interface FindOptions {
  readonly name?: string;
  readonly data?: readonly string[];
  readonly state?: readonly string[];
  readonly limit?: number;
}

export async function findJobs(
  context: Context,
  [name]: readonly [string],
  { name: dispatch, data, state, limit = DEFAULT_LIMIT }: FindOptions,
): Promise<void> {
  const { out, signal } = context;
  if (dispatch === undefined && data === undefined) {
    throw usageError('jobs find needs --name or --data.', '`chasqui jobs list` lists all jobs.');
  }
  const values = Object.fromEntries((data ?? []).map(readCondition));
  const states = statesOf(state);
  const queue = await context.queue(name);
  const progress = await progressBar(out, 'Looking');
  const jobs: FoundJob[] = [];
  const search = queue.findJobs(
    {
      ...(dispatch !== undefined && { name: dispatch }),
      ...(data !== undefined && { data: values }),
      types: states,
    },
    { signal, onProgress: progress.update },
  );
  for await (const job of search) {
    const found = { job, state: await job.getState() };
    jobs.push(found);
    out.record(jobJson(found));
    if (jobs.length >= limit) break;
  }
  progress.stop();
  if (jobs.length === 0) out.text('No job matches.');
  else if (!out.json) printJobs(out, jobs);
  if (jobs.length >= limit)
    out.text(`\nThe first ${plural(jobs.length, 'match', 'matches')}. --limit finds more.`);
}

/** `user.id=42`: the value is JSON, or else a text. */
function readCondition(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at <= 0) throw usageError(`--data must be path=value, such as user.id=42.`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value) as unknown];
  } catch {
    return [text.slice(0, at), value];
  }
}

function statesOf(given: readonly string[] | undefined): readonly JobType[] {
  const states = (given ?? STATES).map((text) => {
    const state = stateOf(text, STATES);
    if (state !== undefined) return state;
    throw usageError(`--state: there is no state "${text}".`, stateHint(text, STATES));
  });
  // A state that is named twice is listed once.
  return [...new Set(states)];
}
