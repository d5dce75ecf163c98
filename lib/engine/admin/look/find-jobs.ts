import type { QueueKeys } from '../../../redis/keys.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Job, JobOwner, JobType } from '../../job/job.js';
import { readTracked } from '../tracked.js';
import type { FindJobsOptions, JobQuery } from './job-query.js';
import { LISTS } from './lists.js';
import type { List } from './lists.js';
import { dataMatcher } from './match.js';
import { sweep } from './sweep.js';
import type { Place, Seen } from './sweep.js';
import { completedJob, toJob } from './to-job.js';
import { addTracked } from './with-tracked.js';

const ALL_STATES: readonly JobType[] = ['waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed'];

const PLACES: Readonly<Record<List, readonly Place[]>> = {
  waiting: ['room', 'work'],
  prioritized: ['room'],
  active: ['work'],
  delayed: ['delayed'],
  failed: ['failed'],
  completed: ['completed'],
};

/** Pages of the jobs that match, each job once. The caller reads one page after the other, and may stop at any time. */
export async function* findJobs(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  { name, types = ALL_STATES, data = {} }: JobQuery,
  { signal, onProgress }: FindJobsOptions,
): AsyncGenerator<Job[]> {
  const states = new Set(types.map((type) => LISTS[type]).filter((state) => state !== undefined));
  const places = new Set([...states].flatMap((state) => PLACES[state]));
  const matches = dataMatcher(data);
  signal?.throwIfAborted();
  const totals = await countJobs(link, keys);
  const total =
    (places.has('work') ? totals.waiting + totals.active : 0) +
    (places.has('room') ? totals.prioritized : 0) +
    (places.has('delayed') ? totals.delayed : 0) +
    (places.has('failed') ? totals.deadLetters : 0) +
    (places.has('completed') ? totals.completed : 0);
  const reported = new Set<string>();
  let lookedAt = 0;
  for await (const step of sweep(link, keys, { name, texts: matches.texts }, places)) {
    signal?.throwIfAborted();
    const jobs = await toJobs(owner, link, keys, step.seen);
    const fresh = jobs.filter((job) => {
      if (!states.has(job.state as List)) return false;
      if (name !== undefined && job.name !== name) return false;
      if (!matches(job.data) || (job.id !== '' && reported.has(job.id))) return false;
      reported.add(job.id);
      return true;
    });
    await addTracked(link, keys, fresh);
    lookedAt += step.lookedAt;
    await onProgress?.({ done: Math.min(lookedAt, total), total });
    yield fresh;
  }
  await onProgress?.({ done: total, total });
}

async function toJobs(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  seen: readonly Seen[],
): Promise<Job[]> {
  const jobs: Job[] = [];
  const completed: string[] = [];
  for (const { row, now } of seen) {
    if (row.kind === 'completed') completed.push(row.id);
    else jobs.push(toJob(owner, row, now));
  }
  const tracked = completed.length > 0 ? await readTracked(link, keys, completed) : [];
  tracked.forEach((kept, index) => {
    const job = completedJob(owner, completed[index] as string, kept);
    if (job) jobs.push(job);
  });
  return jobs;
}
