import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CountEndedOptions {
  /** Of how many minutes the counts are kept. */
  most: number;
  completed: number;
  failed: number;
  /** The number of the call: a second call with the same number counts nothing. */
  call: number;
}

/** Counts jobs that have ended, in the minute that runs. */
export async function countEnded(
  runner: ScriptRunner,
  keys: QueueKeys,
  { most, completed, failed, call }: CountEndedOptions,
): Promise<void> {
  await runner.run('count-ended', keys, [most, completed, failed], { call });
}
