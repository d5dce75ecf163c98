import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** A consumer of the work stream. */
export interface ListedWorker {
  group: string;
  consumerId: string;
  /** How long ago Redis last heard from it, in ms. */
  idleMs: number;
  /** How many entries it has fetched and not settled. */
  pending: number;
  /** Its report, by field; empty if it has not reported lately. */
  report: Map<string, string>;
}

export interface ListWorkersReply {
  /** Redis's clock, in unix ms. */
  now: number;
  workers: ListedWorker[];
}

type Row = [group: string, consumerId: string, idleMs: number, pending: number, report: string[]];

/** Lists the consumers of all groups of a queue, except those that are dead. */
export async function listWorkers(
  runner: ScriptRunner,
  keys: QueueKeys,
  { limit }: { limit: number },
): Promise<ListWorkersReply> {
  const [now, rows] = (await runner.run('list-workers', keys, [limit])) as [string, Row[]];
  const workers = rows.map(([group, consumerId, idleMs, pending, flat]) => {
    const report = new Map<string, string>();
    for (let i = 0; i + 1 < flat.length; i += 2) report.set(flat[i] as string, flat[i + 1] as string);
    return { group, consumerId, idleMs, pending, report };
  });
  return { now: Number(now), workers };
}
