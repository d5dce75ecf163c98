import type { RepeatableCall } from '../../script-runner.js';

/** What all steps of a sweep take. */
export interface SweepStepOptions extends RepeatableCall {
  /** The most jobs that this step removes. */
  most: number;
  /** Whether the reply has the ids of the jobs. */
  withIds: boolean;
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
}

export interface SweepStep {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  removed: number;
  /** The ids of the removed jobs, if they were asked for. */
  ids: string[];
}

export function readSweepStep(reply: unknown): SweepStep {
  const [next, removed, ...ids] = reply as [string, number, ...string[]];
  return { next: next === '' ? undefined : next, removed, ids };
}
