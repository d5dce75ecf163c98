import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { readSweepStep } from './lib/sweep-step.js';
import type { SweepStep, SweepStepOptions } from './lib/sweep-step.js';

export interface SweepDelayedOptions extends SweepStepOptions {
  /** `next` of the step before; undefined = begin. */
  from: string | undefined;
  /** Only jobs that were added before this time, in unix ms; undefined = all. */
  before: number | undefined;
  /** Only jobs of this group; undefined = all. */
  group: string | undefined;
}

/** Removes jobs from a slice of the delayed set. */
export async function sweepDelayed(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from = '-inf 0', before, group = '', most, withIds, eventsCap, call }: SweepDelayedOptions,
): Promise<SweepStep> {
  const [score, skip] = from.split(' ') as [string, string];
  const args = [score, skip, before ?? '', most, withIds ? '1' : '', eventsCap, group];
  return readSweepStep(await runner.run('sweep-delayed', keys, args, { call }));
}
