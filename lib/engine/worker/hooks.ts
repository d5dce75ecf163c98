import type { DlqReason } from '../base/metrics.js';
import type { Job } from '../job/job.js';

/** Old dead letters that made room for new ones: see `dlqMaxStreamLen`. */
export interface DlqEvicted {
  /** How many; they are lost. */
  count: number;
  /** About how many are kept. */
  cap: number;
}

/** A dead letter that this worker has written. */
export interface DeadLettered {
  /** The id that the job's entry had in the work stream: the `sourceId` of the dead letter. */
  entryId: string;
  /** Missing where the entry has no id that can be read. */
  jobId?: string;
  /** Missing for a job without a name. */
  name?: string;
  reason: DlqReason;
  /** The message of the error that ended the job, or what is wrong with the entry. */
  detail: string;
  /** Attempts used. Missing where the entry could not be decoded. */
  attempts?: number;
  /** Missing where the entry could not be decoded. */
  job?: Job;
}

/** Who paused a worker: `Worker.pause` of this worker, or `Queue.pause` of its queue, in any process. */
export type PausedBy = 'worker' | 'queue';

/** What a worker reports to the class that contains it. */
export interface WorkerHooks {
  /** The job of a worker that died, or was cut off for longer than its lease, was reclaimed by this one. */
  stalled: (jobId: string) => void;
  /** Nothing starts any more. */
  paused: (by: PausedBy) => void;
  resumed: (by: PausedBy) => void;
  /** Before the handler is called. */
  active: (job: Job) => void;
  /** After the completion is committed. */
  completed: (job: Job) => void;
  /** After the retry, the dead letter, or the end of a cancelled job is committed. */
  failed: (job: Job, error: unknown) => void;
  /** After the dead letter is committed, and after `failed` where there is a job. */
  deadLettered: (letter: DeadLettered) => void;
  /** The cap has dropped old dead letters to make room for new ones. */
  dlqEvicted: (evicted: DlqEvicted) => void;
  error: (error: Error) => void;
}
