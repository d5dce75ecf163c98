import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { startColumns } from './lib/event-batch.js';
import type { EventOptions, StartedJob } from './lib/event-batch.js';
import { packStarts } from './lib/tracked.js';
import type { TrackedStart } from './lib/tracked.js';

export interface AnnounceOptions extends EventOptions {
  jobs: readonly StartedJob[];
  /** The tracked jobs among them. */
  starts: readonly TrackedStart[];
}

/** Writes the event `active` of jobs that are still running, and the start of the tracked ones. */
export async function announce(
  runner: ScriptRunner,
  keys: QueueKeys,
  { eventsCap, eventsBatchFrom, jobs, starts }: AnnounceOptions,
): Promise<void> {
  const columns = eventsCap > 0 ? startColumns(jobs) : [];
  const args = [eventsCap, eventsBatchFrom, jobs.length, packStarts(starts), ...columns];
  await runner.run('announce', keys, args);
}
