import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface LogSlice {
  /** How many rows the log has. */
  readonly count: number;
  readonly rows: string[];
  /** Where to go on; undefined if that is all. */
  readonly next: number | undefined;
}

/** Reads rows of a job's log, of at most about a megabyte. Positions are those of LRANGE. */
export async function readLogs(
  runner: ScriptRunner,
  keys: QueueKeys,
  { jobId, from, to }: { jobId: string; from: number; to: number },
): Promise<LogSlice> {
  const reply = (await runner.run('read-logs', keys, [jobId, from, to])) as [number, number, ...string[]];
  const [count, next, ...rows] = reply;
  return { count, rows, next: next < 0 ? undefined : next };
}
