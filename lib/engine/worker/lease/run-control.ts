import type { Timer } from '../../../redis/timer.js';

/** Jobs that one call of the handler has got. */
export interface Batch {
  /** How many of them have not ended. With the last one, the call's slot is free. */
  open: number;
}

/** What else decides about a run than its handler. Most runs have none. */
export class RunControl {
  /** The longest run, in ms; `Infinity` = no limit. */
  timeoutMs = Infinity;
  /** Ends the run. */
  timer: Timer | undefined = undefined;
  /** The run has ended by its timeout: what the handler still does, and how it settles, does not count. */
  isOver = false;
  /** `job.discard()`: a failure is final. */
  isFinal = false;
  /** `job.moveToDelayed()`: the monotonic ms at which the job is due again. */
  dueAt: number | undefined = undefined;
  /** `job.fail()`: the run fails with this error, however the handler settles. */
  failure: { readonly error: unknown } | undefined = undefined;
  /** Undefined where the handler has got this job alone, and not as a batch. */
  batch: Batch | undefined = undefined;
}

export function controlOf(delivery: { control: RunControl | undefined }): RunControl {
  return (delivery.control ??= new RunControl());
}
