import type { Worker, WorkerHealth } from '../engine/index.js';
import type { Finding } from './finding.js';
import type { WorkersCheckOptions } from './options.js';

/** A worker is stalled if a read takes this much longer than its block time. */
const STALLED_AFTER_MS = 10_000;

/** It is a fault if Redis closed the connection during this many reads in a row. */
const MAX_CUT_READS = 3;
const CUT_READ = 'closed the connection during';

/** A worker to check. */
export interface Checked {
  /** The key of its details. */
  readonly name: string;
  readonly queue: string;
  /** Undefined if the process works on the queue, but the worker was stopped. */
  readonly worker: Worker | undefined;
  /** The call that starts it. */
  readonly start: string;
}

export function checkWorker(checked: Checked, options: WorkersCheckOptions): Finding {
  const { name, queue, worker, start } = checked;
  const health = worker?.health();
  if (!worker || !health) {
    return { name, details: { state: 'stopped' }, faults: idle(queue, 'stopped', start, options) };
  }
  return { name, details: toDetails(worker, health), faults: faultsOf(queue, health, options, start) };
}

/** Finds the faults in the health that a worker reports. A pure function. */
export function faultsOf(
  queue: string,
  health: WorkerHealth,
  options: WorkersCheckOptions,
  start = `ChasquiWorkers.start('${queue}')`,
): string[] {
  if (health.state !== 'running' && health.state !== 'disconnected') {
    return idle(queue, health.state, start, options);
  }
  const { fullMs, lastLeaseLostAgeMs, running, concurrency, lastError } = health;
  // Reads and commands have separate connections. A worker that can read but cannot send commands is stalled too.
  const unansweredMs = Math.max(health.unansweredMs, health.disconnectedMs);
  const {
    maxUnansweredMs = health.blockMs + STALLED_AFTER_MS,
    maxFullMs,
    leaseLostWithinMs,
    dlqEvictedWithinMs,
  } = options;
  const faults: string[] = [];
  if (unansweredMs > maxUnansweredMs) {
    faults.push(
      `The worker of queue "${queue}" has had no answer from Redis for ${seconds(unansweredMs)} and fetches no jobs` +
        `${lastError === undefined ? '' : ` (${lastError})`}: check Redis and the network. The worker resumes by itself once Redis answers.`,
    );
  }
  if (health.failures >= MAX_CUT_READS && lastError?.includes(CUT_READ)) {
    faults.push(`The worker of queue "${queue}" fetches no jobs: ${lastError}`);
  }
  if (maxFullMs !== undefined && fullMs > maxFullMs) {
    faults.push(
      `The worker of queue "${queue}" has been full for ${seconds(fullMs)} (${running} of ${concurrency} handlers run): ` +
        'look for handlers that hang, or raise concurrency.',
    );
  }
  if (
    leaseLostWithinMs !== undefined &&
    lastLeaseLostAgeMs !== undefined &&
    lastLeaseLostAgeMs <= leaseLostWithinMs
  ) {
    faults.push(
      `The worker of queue "${queue}" lost a lease ${seconds(lastLeaseLostAgeMs)} ago (${health.leasesLost} since it started), ` +
        'so a job ran twice: move CPU-bound work off the event loop, or raise claimMinIdleMs.',
    );
  }
  const { lastDlqEvictedAgeMs } = health;
  if (
    dlqEvictedWithinMs !== undefined &&
    lastDlqEvictedAgeMs !== undefined &&
    lastDlqEvictedAgeMs <= dlqEvictedWithinMs
  ) {
    faults.push(
      `The worker of queue "${queue}" dropped old dead letters ${seconds(lastDlqEvictedAgeMs)} ago (${health.dlqEvicted} since it started): ` +
        'replay or drop dead letters, or raise dlqMaxStreamLen.',
    );
  }
  return faults;
}

function idle(
  queue: string,
  state: string,
  start: string,
  { requireRunning = false }: WorkersCheckOptions,
): string[] {
  return requireRunning
    ? [`The worker of queue "${queue}" does not run (${state}): start it with ${start}.`]
    : [];
}

function toDetails(worker: Worker, health: WorkerHealth): object {
  return {
    ...health,
    consumer: worker.id,
    lastReadAgeMs: rounded(health.lastReadAgeMs),
    unansweredMs: Math.round(health.unansweredMs),
    disconnectedMs: Math.round(health.disconnectedMs),
    fullMs: Math.round(health.fullMs),
    lastLeaseLostAgeMs: rounded(health.lastLeaseLostAgeMs),
    lastDlqEvictedAgeMs: rounded(health.lastDlqEvictedAgeMs),
  };
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
