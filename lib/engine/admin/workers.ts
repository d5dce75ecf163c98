import type { QueueKeys } from '../../redis/keys.js';
import type { ScriptRunner } from '../../redis/script-runner.js';
import { listWorkers } from '../../redis/scripts/list-workers.js';
import type { ListedWorker } from '../../redis/scripts/list-workers.js';
import { labelOf } from '../worker/identity.js';

/**
 * A worker that consumes a queue, as it has reported itself. A worker reports when it starts, when it is paused or resumed,
 * and once in a third of its lease (at least once in 10 s). A third-party worker does not report: then only the fields that
 * Redis knows of its consumer are there, and the others are undefined.
 */
export interface WorkerInfo {
  /** The name of its consumer, as `worker.id`. */
  id: string;
  /** The label in front of it: the option `name` (or `consumerId`) of the worker. */
  name: string;
  /** The consumer group. */
  group: string;
  host: string | undefined;
  pid: number | undefined;
  /** The version of this package that it runs. */
  version: string | undefined;
  concurrency: number | undefined;
  /** Handlers that ran when it last reported. */
  running: number | undefined;
  /** Entries that it has fetched and not settled, now: those that run, and those that wait in the worker. */
  pending: number;
  /** Unix ms, by Redis's clock. */
  startedAt: number | undefined;
  /** When it last reported, or, if it does not report, when Redis last heard from it. Unix ms, by Redis's clock. */
  lastSeen: number;
  /** The worker knew that it is paused, or that its queue is, when it last reported. */
  paused: boolean;
  /** How long a job may go without a heartbeat before another worker reclaims it, in ms. */
  leaseMs: number | undefined;
}

/** The most workers that are listed: the script looks at each. */
const MOST = 1_000;

export async function getWorkers(runner: ScriptRunner, keys: QueueKeys): Promise<WorkerInfo[]> {
  const { now, workers } = await listWorkers(runner, keys, { limit: MOST });
  return workers.map((worker) => toInfo(worker, now));
}

function toInfo({ group, consumerId, idleMs, pending, report }: ListedWorker, now: number): WorkerInfo {
  const number = (field: string): number | undefined => {
    const value = Number(report.get(field) ?? NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    id: consumerId,
    name: report.get('name') ?? labelOf(consumerId),
    group,
    host: report.get('host'),
    pid: number('pid'),
    version: report.get('version'),
    concurrency: number('concurrency'),
    running: number('running'),
    pending,
    startedAt: number('startedAt'),
    lastSeen: number('lastSeen') ?? now - idleMs,
    paused: report.get('paused') === '1',
    leaseMs: number('leaseMs'),
  };
}
