import type { Telemetry } from '../../../lib/engine/base/telemetry.js';
import type { Job } from '../../../lib/engine/index.js';
import type { Spec } from './steps.js';

/** One call of a handler. */
export interface Call {
  readonly of: LiveJob;
  readonly attempt: number;
  /** In ms of the monotonic clock. */
  readonly at: number;
  isRunning: boolean;
  /** Its entry in the stream. */
  readonly entry: string;
}

export interface LiveJob {
  readonly spec: Spec;
  /** Its name, and its data. */
  readonly number: number;
  handle: Job | undefined;
  /** Unix ms; Infinity until Redis has it. */
  addedAt: number;
  isDuplicate: boolean;
  isRemoved: boolean;
  /** Its priority was changed. */
  isChanged: boolean;
  /** With which its last start began; '' = it has not started since. */
  startedEntry: string;
  readonly calls: Call[];
}

/** How often its handler is called if nobody removes the job. */
export const callsOf = ({ attempts, fails }: Spec): number => Math.min(fails + 1, attempts);

/** Writes down what handlers do, and what must never be. */
export class Book {
  readonly jobs: LiveJob[] = [];
  readonly calls: Call[] = [];
  /** What Redis has delivered, by entry: also what a worker has given back without a call of the handler. */
  readonly deliveries = new Map<string, LiveJob>();
  /** What was wrong, in words. */
  readonly faults: string[] = [];

  constructor(readonly isStrict: boolean) {}

  /** For the workers. Only they know for certain with which entry a call begins: another look at Redis may be older than the call. */
  get telemetry(): Telemetry {
    return {
      worker: () => ({
        started: ({ name, entryId }) => void ((this.jobs[Number(name)] as LiveJob).startedEntry = entryId),
        gone: ({ name, entryId }) => void this.deliveries.set(entryId, this.jobs[Number(name)] as LiveJob),
      }),
    };
  }

  plan(spec: Spec): LiveJob {
    const job: LiveJob = {
      spec,
      number: this.jobs.length,
      handle: undefined,
      addedAt: Infinity,
      isDuplicate: false,
      isRemoved: false,
      isChanged: false,
      startedEntry: '',
      calls: [],
    };
    this.jobs.push(job);
    return job;
  }

  /** Nothing more happens to the job. */
  isOver({ spec, calls, isRemoved }: LiveJob): boolean {
    return isRemoved || (calls.length === callsOf(spec) && calls.every(({ isRunning }) => !isRunning));
  }

  begin({ name, attemptsMade: attempt }: Job): Call {
    const job = this.jobs[Number(name)] as LiveJob;
    const { spec, calls } = job;
    if (job.isRemoved) this.faults.push(`${name} was removed, and ran`);
    if (job.isDuplicate) this.faults.push(`${name} was not added, and ran`);
    if (calls.some(({ isRunning }) => isRunning)) this.faults.push(`${name} ran twice at once`);
    if (attempt !== calls.length + 1)
      this.faults.push(`${name}: attempt ${String(attempt)} is its call ${String(calls.length + 1)}`);
    if (calls.length >= callsOf(spec)) this.faults.push(`${name} had ended, and ran`);
    for (const other of this.jobs) {
      if (other === job || other.calls.length === 0 || this.isOver(other)) continue;
      const { group, dedup } = other.spec;
      if (dedup !== '' && dedup === spec.dedup)
        this.faults.push(
          `${name} began before ${String(other.number)} with the same deduplication id was over`,
        );
      // A job whose priority was changed goes where that belongs.
      if (this.isStrict && !other.isChanged && group !== '' && group === spec.group)
        this.faults.push(`${name} began before ${String(other.number)} of its strict group was over`);
    }
    if (job.startedEntry === '') this.faults.push(`${name} ran without an entry`);
    const call = { of: job, attempt, at: performance.now(), isRunning: true, entry: job.startedEntry };
    job.startedEntry = '';
    calls.push(call);
    this.calls.push(call);
    return call;
  }

  get running(): number {
    return this.calls.filter(({ isRunning }) => isRunning).length;
  }
}
