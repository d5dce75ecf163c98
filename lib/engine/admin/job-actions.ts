import type { QueueKeys } from '../../redis/keys.js';
import type { JobChange } from '../../redis/scripts/change-job.js';
import { removeDedup } from '../../redis/scripts/remove-dedup.js';
import { ConfigError } from '../base/errors.js';
import { writeBinary } from '../codec/msgpack.js';
import { checkDelay, checkWhole } from '../config/check-arguments.js';
import { show } from '../config/checks.js';
import { toPriority } from '../config/options/priority.js';
import type { CommandLink } from '../connection/command-link.js';
import { encodeWithin } from '../enqueue/new-job.js';
import type { JobLimits } from '../enqueue/new-job.js';
import type { JobActions, JobRef } from '../job/job-actions.js';
import { changeJob, removeJob, retryJob } from './change-job.js';
import { clearJobLogs } from './job-logs.js';
import { JobReports } from './job-reports.js';
import { getJobState } from './look/get-job.js';

/** What the actions need of the queue or the worker that supplies them. */
export interface ActionsContext {
  readonly queue: string;
  /** 0 = no events. */
  readonly eventsCap: number;
  readonly limits: JobLimits;
  /** Hears of lost reports of jobs that run here: see {@link ReportsSettings.onLost}. */
  readonly onLost?: (error: unknown) => void;
  /** Calls Redis: waits for the connection, and refuses when the owner is closed. */
  readonly use: <T>(call: (link: CommandLink, keys: QueueKeys) => Promise<T>) => Promise<T>;
}

/** The actions of the jobs of one queue. Each checks its arguments and is one call into a function of admin/. */
export function jobActions({ queue, eventsCap, limits, use, onLost }: ActionsContext): JobActions {
  const reports = new JobReports({
    queue,
    eventsCap,
    isTracking: limits.keep?.tracked === true,
    use,
    onLost,
  });
  const change = (job: JobRef, what: JobChange): Promise<void> =>
    use((link, keys) => changeJob(link, keys, job, what, eventsCap));
  return {
    remove: (job) => use((link, keys) => removeJob(link, keys, job, eventsCap)),
    promote: (job) => change(job, { change: 'promote' }),
    changeDelay: async (job, delay) => {
      checkDelay(delay, limits.maxDelayMs);
      await change(job, { change: 'delay', value: Math.ceil(delay) });
    },
    changePriority: async (job, priority) => {
      await change(job, { change: 'priority', value: toPriority('changePriority', priority) });
    },
    moveToDelayed: async (job, timestamp) => {
      checkDelay(Math.max(0, timestamp - Date.now()), limits.maxDelayMs);
      await change(job, { change: 'move', value: Math.ceil(timestamp) });
    },
    retry: async (job, state) => {
      if ((state as unknown) !== 'failed' && (state as unknown) !== 'completed') {
        throw new ConfigError(`retry: the state must be "failed" or "completed", not ${show(state)}.`);
      }
      await use((link, keys) => retryJob(link, keys, job, state, eventsCap));
    },
    getState: (jobId) => use((link, keys) => getJobState(link, keys, jobId)),
    updateData: async (job, data) => {
      const payload = encodeWithin(job.id, data, limits.maxPayloadBytes);
      const binary = Buffer.allocUnsafe(payload.length + 5);
      const length = writeBinary(binary, 0, payload);
      await change(job, { change: 'data', value: binary.subarray(0, length) });
    },
    updateProgress: (job, progress) => reports.progress(job, progress),
    log: (job, row, keepLogs) => reports.log(job, row, keepLogs),
    removeDeduplicationKey: (jobId, dedupId) =>
      use((link, keys) => removeDedup(link, keys, { dedupId, jobId })),
    clearLogs: async (jobId, keepLogs = 0) => {
      checkWhole('clearLogs: keepLogs', keepLogs);
      await use((link, keys) => clearJobLogs(link, keys, jobId, keepLogs));
    },
  };
}
