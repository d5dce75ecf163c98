import type { QueueKeys } from '../../redis/keys.js';
import { reportJobs } from '../../redis/scripts/report-jobs.js';
import type { JobReport, ReportAnswer } from '../../redis/scripts/report-jobs.js';
import {
  ConfigTypeError,
  EncodeError,
  JobNotFoundError,
  PayloadTooLargeError,
  ShutdownError,
} from '../base/errors.js';
import { cut, messageOf } from '../base/thrown.js';
import { show } from '../config/checks.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobProgress } from '../job/attempts.js';
import type { ReportRef } from '../job/job-actions.js';

export interface ReportsSettings {
  readonly queue: string;
  /** 0 = no events. */
  readonly eventsCap: number;
  /** The queue tracks its jobs: a job that cannot be found is an error. */
  readonly isTracking: boolean;
  /**
   * Given: a report of a job that runs here never fails it because of Redis. This hears of the loss instead, once until a report
   * arrives again.
   */
  readonly onLost?: ((error: unknown) => void) | undefined;
  readonly use: <T>(call: (link: CommandLink, keys: QueueKeys) => Promise<T>) => Promise<T>;
}

interface Queued {
  report: JobReport;
  bytes: number;
  /** More than one where later progress has replaced earlier progress. */
  waiting: { resolve: (rows: number) => void; reject: (error: unknown) => void }[];
}

/** Longest row of a log, in characters. Longer rows are cut. */
const MAX_ROW = 32_768;
const MAX_PROGRESS_BYTES = 65_536;
/** Rows of a log that stay if nothing is said about it. */
export const KEEP_LOGS = 10_000;
const REPORTS_PER_CALL = 500;
const BYTES_PER_CALL = 1_048_576;
/** Reports of untracked jobs are events. Beyond so many that wait, they are lost, as events may be. */
const MOST_UNTRACKED = 10_000;

/**
 * Sends progress and rows of logs. One call is under way at a time; what is reported meanwhile goes with the next one. So
 * newer progress of a job replaces progress that was not sent yet.
 */
export class JobReports {
  readonly #settings: ReportsSettings;
  #queue: Queued[] = [];
  /** Progress that was not sent yet, by job. */
  readonly #progress = new Map<string, Queued>();
  #isSending = false;
  #isLosing = false;

  constructor(settings: ReportsSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves when Redis has it, or, for a job that is not tracked, when its event was sent or is lost.
   * @throws EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), JobNotFoundError (CMQ-106), ConnectionError (CMQ-001)
   */
  async progress(job: ReportRef, progress: JobProgress): Promise<void> {
    await this.#report(job, 'progress', progressJson(progress), 0);
  }

  /**
   * Resolves with how many rows the log has; 0 for a job that is not tracked.
   * @throws ConfigTypeError (CMQ-004), JobNotFoundError (CMQ-106), ConnectionError (CMQ-001)
   */
  async log(
    job: ReportRef,
    row: unknown,
    // A worker knows what its job says.
    keepLogs = job.entryId === undefined ? -KEEP_LOGS : KEEP_LOGS,
  ): Promise<number> {
    if (typeof row !== 'string')
      throw new ConfigTypeError(`log: the row must be a string, not ${show(row)}.`);
    return this.#report(job, 'row', row.length > MAX_ROW ? cut(row, MAX_ROW - 1) : row, keepLogs);
  }

  #report(job: ReportRef, kind: JobReport['kind'], value: string, keepLogs: number): Promise<number> {
    const { id: jobId, name, isTracked, entryId } = job;
    if (isTracked === false && this.#queue.length >= MOST_UNTRACKED) return Promise.resolve(0);
    const report = { kind, jobId, name, isTracked, entryId, value, keepLogs };
    return new Promise<number>((resolve, reject) => {
      const waiting = { resolve, reject };
      const earlier = kind === 'progress' ? this.#progress.get(jobId) : undefined;
      if (earlier) {
        earlier.report = report;
        earlier.bytes = value.length;
        earlier.waiting.push(waiting);
        return;
      }
      const queued: Queued = { report, bytes: value.length, waiting: [waiting] };
      if (kind === 'progress') this.#progress.set(jobId, queued);
      if (this.#queue.push(queued) === 1 && !this.#isSending) process.nextTick(this.#send);
    });
  }

  readonly #send = (): void => {
    if (this.#isSending || this.#queue.length === 0) return;
    this.#isSending = true;
    const batch = this.#take();
    const reports = batch.map(({ report }) => report);
    const { use, eventsCap } = this.#settings;
    use((link, keys) => reportJobs(link, keys, { eventsCap, reports }))
      .then(
        (answers) => {
          this.#isLosing = false;
          batch.forEach((queued, index) => {
            this.#settle(queued, answers[index] as ReportAnswer);
          });
        },
        (error: unknown) => {
          for (const { report, waiting } of batch) {
            for (const { resolve, reject } of waiting) {
              if (this.#isLossHarmless(report) || this.#isLost(report, error)) resolve(0);
              else reject(error);
            }
          }
        },
      )
      .finally(() => {
        this.#isSending = false;
        this.#send();
      });
  };

  #take(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queue) {
      bytes += queued.bytes;
      if (count > 0 && (count === REPORTS_PER_CALL || bytes > BYTES_PER_CALL)) break;
      count += 1;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    for (const { report } of batch) if (report.kind === 'progress') this.#progress.delete(report.jobId);
    return batch;
  }

  #settle({ report, waiting }: Queued, answer: ReportAnswer): void {
    const { queue } = this.#settings;
    for (const { resolve, reject } of waiting) {
      if (typeof answer === 'object') resolve(answer.rows);
      else if (answer === 'untracked' || this.#isLossHarmless(report)) resolve(0);
      else {
        const what = report.kind === 'progress' ? 'updateProgress' : 'log';
        reject(new JobNotFoundError(report.jobId, queue, what));
      }
    }
  }

  /** Whether the loss of a report of a job that runs here was reported. A worker that is closed reports nothing. */
  #isLost({ entryId }: JobReport, error: unknown): boolean {
    const { onLost } = this.#settings;
    if (entryId === undefined || !onLost || error instanceof ShutdownError) return false;
    if (!this.#isLosing) onLost(error);
    this.#isLosing = true;
    return true;
  }

  /** Of a job that is not tracked, as far as anybody here knows, there is only an event. */
  #isLossHarmless({ isTracked }: JobReport): boolean {
    return !(isTracked ?? this.#settings.isTracking);
  }
}

function progressJson(progress: unknown): string {
  let json: string | undefined;
  let odd: number | undefined;
  try {
    json = JSON.stringify(progress, (_, value: unknown) => {
      if (typeof value === 'number' && !Number.isFinite(value)) odd = value;
      return value;
    });
  } catch (error) {
    throw new EncodeError(`updateProgress: the progress has no JSON: ${messageOf(error)}`, { cause: error });
  }
  if (odd !== undefined) {
    throw new ConfigTypeError(`updateProgress: JSON has no ${String(odd)}. Nothing was reported.`);
  }
  if (json === undefined) {
    throw new ConfigTypeError(
      `updateProgress: the progress must be a value that JSON has, not ${show(progress)}.`,
    );
  }
  if (json.length * 3 > MAX_PROGRESS_BYTES && Buffer.byteLength(json) > MAX_PROGRESS_BYTES) {
    throw new PayloadTooLargeError(
      `updateProgress: the progress has ${String(Buffer.byteLength(json))} bytes as JSON; at most ${String(MAX_PROGRESS_BYTES)} are allowed. Nothing was reported.`,
    );
  }
  return json;
}
