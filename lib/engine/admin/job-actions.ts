import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobLimits } from '../enqueue/new-job.js';
import type { JobActions } from '../job/job-actions.js';
import { removeLiveJob } from './cancel.js';

/** What the actions need of the queue or the worker that supplies them. */
export interface ActionsContext {
  /** 0 = no events. */
  readonly eventsCap: number;
  readonly limits: JobLimits;
  /** Calls Redis: waits for the connection, and refuses when the owner is closed. */
  readonly use: <T>(call: (link: CommandLink, keys: QueueKeys) => Promise<T>) => Promise<T>;
}

/** The actions of the jobs of one queue. Each is one call into a function of admin/. */
export function jobActions({ use }: ActionsContext): JobActions {
  return {
    remove: (jobId) => use((link, keys) => removeLiveJob(link, keys, jobId)),
  };
}
