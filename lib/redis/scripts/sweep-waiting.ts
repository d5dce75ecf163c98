import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { readSweepStep } from './lib/sweep-step.js';
import type { SweepStep, SweepStepOptions } from './lib/sweep-step.js';

export interface SweepWaitingOptions extends SweepStepOptions {
  /** The first and the last entry id to look at, as XRANGE takes them. */
  from: string;
  to: string;
  /** Only jobs that were added before this time, in unix ms; undefined = all. */
  before: number | undefined;
}

/** Removes waiting jobs from a slice of the work stream. */
export async function sweepWaiting(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, before, most, withIds, eventsCap, call }: SweepWaitingOptions,
): Promise<SweepStep> {
  const args = [from, to, before ?? '', most, withIds ? '1' : '', eventsCap];
  return readSweepStep(await runner.run('sweep-waiting', keys, args, { call }));
}
