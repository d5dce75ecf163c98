import type { QueueKeys } from '../keys.js';
import type { ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface ReportWorkerOptions {
  consumerId: string;
  /** How long the report is kept, in ms. */
  ttlMs: number;
  /** What the first report resolved with. */
  startedAt: string | undefined;
  fields: Readonly<Record<string, ScriptArgument>>;
}

/** Reports a worker. Resolves with when it started, in unix ms by Redis's clock. */
export async function reportWorker(
  runner: ScriptRunner,
  keys: QueueKeys,
  { consumerId, ttlMs, startedAt = '', fields }: ReportWorkerOptions,
): Promise<string> {
  const args = [ttlMs, startedAt, ...Object.entries(fields).flat()];
  return (await runner.run('report-worker', keys, args, { report: keys.worker(consumerId) })) as string;
}
