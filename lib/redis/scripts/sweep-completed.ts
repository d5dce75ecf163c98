import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { readSweepStep } from './lib/sweep-step.js';
import type { SweepStep, SweepStepOptions } from './lib/sweep-step.js';

export interface SweepCompletedOptions extends SweepStepOptions {
  /** Only jobs that completed at or before this time, in unix ms. */
  until: number;
}

/** Removes the oldest completed jobs that are kept. */
export async function sweepCompleted(
  runner: ScriptRunner,
  keys: QueueKeys,
  { until, most, withIds, eventsCap, call }: SweepCompletedOptions,
): Promise<SweepStep> {
  const args = [until, most, withIds ? '1' : '', eventsCap];
  return readSweepStep(await runner.run('sweep-completed', keys, args, { call }));
}
