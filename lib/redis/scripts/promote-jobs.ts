import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';
import type { EventOptions } from './lib/event-batch.js';

export interface PromoteJobsOptions extends EventOptions, RepeatableCall {
  /** The most jobs of one call. */
  most: number;
}

/** Promotes delayed jobs, also those that are not due yet. */
export async function promoteJobs(
  runner: ScriptRunner,
  keys: QueueKeys,
  { most, eventsCap, eventsBatchFrom, call }: PromoteJobsOptions,
): Promise<{ promoted: number; left: number }> {
  const reply = await runner.run('promote-jobs', keys, [most, eventsCap, eventsBatchFrom], { call });
  const [promoted, left] = reply as [number, number];
  return { promoted, left };
}
