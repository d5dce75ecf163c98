import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { startColumns } from './lib/event-batch.js';
import type { EventOptions, StartedJob } from './lib/event-batch.js';

export interface AnnounceOptions extends EventOptions {
  jobs: readonly StartedJob[];
}

/** Writes the event `active` of jobs that are still running. */
export async function announce(
  runner: ScriptRunner,
  keys: QueueKeys,
  { eventsCap, eventsBatchFrom, jobs }: AnnounceOptions,
): Promise<void> {
  const args = [eventsCap, eventsBatchFrom, jobs.length, ...startColumns(jobs)];
  await runner.run('announce', keys, args);
}
