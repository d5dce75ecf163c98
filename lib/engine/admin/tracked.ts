import type { QueueKeys } from '../../redis/keys.js';
import { readTracked as readStored } from '../../redis/scripts/read-tracked.js';
import type { StoredTracked } from '../../redis/scripts/read-tracked.js';
import { decodePayload } from '../codec/payload.js';
import type { CommandLink } from '../connection/command-link.js';
import type { AttemptRecord, JobProgress } from '../job/attempts.js';
import type { Job } from '../job/job.js';

/** How a tracked job ended, while that is kept. */
export type TrackedEnd =
  | {
      readonly state: 'completed';
      readonly name: string;
      /** The msgpack Job with its extras. */
      readonly bytes: Buffer;
      readonly processedOn: number;
      readonly finishedOn: number;
      /** The attempt that completed, from 1. */
      readonly attemptsMade: number;
      readonly returnvalue: unknown;
      readonly processedBy: string;
      readonly host: string;
    }
  | {
      readonly state: 'failed';
      /** The dead letter has the job, the reason and the time. */
      readonly deadLetterId: string;
    };

/** What is kept of a tracked job. */
export interface Tracked {
  /** Undefined: the job has not ended, or nothing is kept of its end. */
  readonly end: TrackedEnd | undefined;
  /** Oldest first; the attempts before a replay too. Of a crash and of a run that still goes on, only the start is known. */
  readonly attempts: readonly AttemptRecord[];
  /** Undefined: none was reported. */
  readonly progress: JobProgress | undefined;
}

const IDS_PER_CALL = 200;

/**
 * What is kept of tracked jobs, in the order of the ids. A job of which nothing is kept, or that does not exist, has no end,
 * no attempts and no progress.
 */
export async function readTracked(
  link: CommandLink,
  keys: QueueKeys,
  jobIds: readonly string[],
): Promise<Tracked[]> {
  const jobs: Tracked[] = [];
  while (jobs.length < jobIds.length) {
    const stored = await readStored(link, keys, jobIds.slice(jobs.length, jobs.length + IDS_PER_CALL));
    for (const job of stored) jobs.push(toTracked(job));
  }
  return jobs;
}

function toTracked({ completed, deadLetterId, runs }: StoredTracked): Tracked {
  const attempts = attemptsOf(runs);
  const progress = parsed(runs.get('progress')) as JobProgress | undefined;
  if (deadLetterId !== undefined) return { end: { state: 'failed', deadLetterId }, attempts, progress };
  if (!completed) return { end: undefined, attempts, progress };
  const { name, bytes, processedOn, finishedOn, attempt, result } = completed;
  const [processedBy = '', host = ''] = completed.worker.split('\n');
  const end: TrackedEnd = {
    state: 'completed',
    name,
    bytes,
    processedOn,
    finishedOn,
    attemptsMade: attempt,
    returnvalue: result && decoded(result),
    processedBy,
    host,
  };
  const last: AttemptRecord = {
    attempt,
    startedAt: processedOn,
    endedAt: finishedOn,
    worker: processedBy,
    host,
  };
  return { end, attempts: [...attempts, last], progress };
}

/** Fills in what is kept of the job. */
export function applyTracked(job: Job, { end, attempts, progress }: Tracked): void {
  job.attempts = attempts;
  job.stacktrace = attempts.flatMap(({ stack }) => (stack === undefined ? [] : [stack]));
  if (progress !== undefined) job.progress = progress;
  const last = attempts.at(-1);
  if (last) {
    job.processedBy = last.worker;
    job.processedOn = last.startedAt;
    job.finishedOn = last.endedAt;
    job.failedReason = last.reason;
  }
  if (end?.state !== 'completed') return;
  job.attemptsMade = end.attemptsMade;
  job.returnvalue = end.returnvalue;
}

function attemptsOf(runs: ReadonlyMap<string, string>): AttemptRecord[] {
  const before = runs.get('before');
  const attempts = before === undefined ? [] : (parsed(`[${before}]`) as AttemptRecord[] | undefined);
  const numbers = [...runs.keys()].filter((field) => /^\d+$/.test(field)).map(Number);
  numbers.sort((a, b) => a - b);
  const later = numbers.map((number) => parsed(runs.get(String(number))) as AttemptRecord | undefined);
  return [...(attempts ?? []), ...later.filter((attempt) => attempt !== undefined)];
}

/** Undefined where somebody else wrote something else. */
function decoded(bytes: Buffer): unknown {
  try {
    return decodePayload(bytes);
  } catch {
    return undefined;
  }
}

/** The same of JSON. */
function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : (JSON.parse(json) as unknown);
  } catch {
    return undefined;
  }
}
