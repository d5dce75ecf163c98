import type { PriorityOptions } from '../config/options/priority.js';
import type { JobProgress } from './attempts.js';
import type { JobState } from './job-state.js';

/** Where a job was when it was read. The job may have moved since then. */
export interface JobPlace {
  /** Its member in the delayed set or in the room. */
  readonly member?: Buffer | undefined;
  /** Its entry in the work stream. */
  readonly entryId?: string | undefined;
  /** The id of its dead letter. */
  readonly dlqId?: string | undefined;
  /**
   * Its bytes, if they cannot be decoded or have no id: then its id does not lead to it. And since when it is in the queue, in unix
   * ms; 0 if Redis does not keep that.
   */
  readonly unreadable?: { readonly bytes: Buffer; readonly since: number } | undefined;
}

/** A job to change: its id, and where it was, if that is known. Otherwise it may have to be searched for. */
export interface JobRef extends JobPlace {
  readonly id: string;
}

/** A job to run again. */
export interface RetriedJobRef extends JobRef {
  /** Its deduplication id: an error says which job has it. */
  readonly dedupId?: string | undefined;
}

/** A job that is reported of. */
export interface ReportRef {
  readonly id: string;
  readonly name: string;
  /** Undefined: only Redis knows. */
  readonly isTracked: boolean | undefined;
  /** Its entry, if it runs here. */
  readonly entryId?: string | undefined;
}

/**
 * What the methods of a {@link Job} do in Redis. `Queue` and `Worker` supply it to their jobs; admin/job-actions.ts
 * implements it.
 */
export interface JobActions {
  remove(job: JobRef): Promise<void>;
  promote(job: JobRef): Promise<void>;
  changeDelay(job: JobRef, delay: number): Promise<void>;
  changePriority(job: JobRef, priority: PriorityOptions): Promise<void>;
  moveToDelayed(job: JobRef, timestamp: number): Promise<void>;
  retry(job: RetriedJobRef, state: 'failed' | 'completed'): Promise<void>;
  updateData(job: JobRef, data: unknown): Promise<void>;
  updateProgress(job: ReportRef, progress: JobProgress): Promise<void>;
  log(job: ReportRef, row: string, keepLogs?: number): Promise<number>;
  clearLogs(jobId: string, keepLogs?: number): Promise<void>;
  getState(jobId: string): Promise<JobState>;
  /** False if another job has the deduplication id, or none. */
  removeDeduplicationKey(jobId: string, dedupId: string): Promise<boolean>;
}
