import type { Worker, WorkerHealth } from '../engine/index.js';
import type { Finding } from './finding.js';
import type { WorkersCheckOptions } from './options.js';

/** What a read may take beyond its block time before its worker counts as stalled. */
const STALLED_AFTER_MS = 10_000;

/** @param worker undefined where the process works on the queue, but the worker was stopped */
export function checkWorker(
  queue: string,
  worker: Worker | undefined,
  options: WorkersCheckOptions,
): Finding {
  const health = worker?.health();
  if (!worker || !health) {
    return { name: queue, details: { state: 'stopped' }, faults: idle(queue, 'stopped', options) };
  }
  return { name: queue, details: toDetails(worker, health), faults: faultsOf(queue, health, options) };
}

/** A pure function of what the worker says of itself. */
export function faultsOf(queue: string, health: WorkerHealth, options: WorkersCheckOptions): string[] {
  if (health.state !== 'running') return idle(queue, health.state, options);
  const { unansweredMs, fullMs, lastLeaseLostAgeMs, running, concurrency, lastError } = health;
  const { maxUnansweredMs = health.blockMs + STALLED_AFTER_MS, maxFullMs, leaseLostWithinMs } = options;
  const faults: string[] = [];
  if (unansweredMs > maxUnansweredMs) {
    faults.push(
      `The worker of queue "${queue}" has had no answer from Redis for ${seconds(unansweredMs)} and fetches no jobs` +
        `${lastError === undefined ? '' : ` (${lastError})`}: check Redis and the network; it goes on by itself once Redis answers.`,
    );
  }
  if (maxFullMs !== undefined && fullMs > maxFullMs) {
    faults.push(
      `The worker of queue "${queue}" has been full for ${seconds(fullMs)} (${running} of ${concurrency} handlers run): ` +
        'look for handlers that hang, or raise its concurrency.',
    );
  }
  if (
    leaseLostWithinMs !== undefined &&
    lastLeaseLostAgeMs !== undefined &&
    lastLeaseLostAgeMs <= leaseLostWithinMs
  ) {
    faults.push(
      `The worker of queue "${queue}" lost a lease ${seconds(lastLeaseLostAgeMs)} ago (${health.leasesLost} since it started), ` +
        'so a job ran twice: keep CPU-bound work off the event loop, or raise claimMinIdleMs.',
    );
  }
  return faults;
}

function idle(queue: string, state: string, { requireRunning = false }: WorkersCheckOptions): string[] {
  if (!requireRunning) return [];
  return [
    `The worker of queue "${queue}" does not run (${state}): start it with ChasquiWorkers.start('${queue}').`,
  ];
}

function toDetails(worker: Worker, health: WorkerHealth): object {
  return {
    ...health,
    consumer: worker.id,
    lastReadAgeMs: rounded(health.lastReadAgeMs),
    unansweredMs: Math.round(health.unansweredMs),
    fullMs: Math.round(health.fullMs),
    lastLeaseLostAgeMs: rounded(health.lastLeaseLostAgeMs),
  };
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
