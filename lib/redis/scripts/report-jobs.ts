import type { QueueKeys } from '../keys.js';
import type { ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface JobReport {
  readonly kind: 'progress' | 'row';
  readonly jobId: string;
  readonly name: string;
  /** Undefined: the caller does not know. */
  readonly isTracked: boolean | undefined;
  /** The entry of the job, if the caller runs it. */
  readonly entryId: string | undefined;
  /** The progress as JSON, or the row. */
  readonly value: string;
  /** How many rows stay; 0 = all. Negative: as the job says; if it says nothing, the positive of it. */
  readonly keepLogs: number;
}

/** `rows`: how many rows the log has now. `untracked`: nothing was stored. `gone`: there is no such tracked job. */
export type ReportAnswer = { readonly rows: number } | 'untracked' | 'gone';

export interface ReportJobsOptions {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  reports: readonly JobReport[];
}

/** Stores progress and rows of logs. One answer per report. */
export async function reportJobs(
  runner: ScriptRunner,
  keys: QueueKeys,
  { eventsCap, reports }: ReportJobsOptions,
): Promise<ReportAnswer[]> {
  const args: ScriptArgument[] = [eventsCap];
  for (const { kind, jobId, name, isTracked, entryId, value, keepLogs } of reports) {
    const tracked = isTracked === undefined ? '' : isTracked ? '1' : '0';
    args.push(kind === 'progress' ? 'p' : 'l', jobId, name, tracked, entryId ?? '', value, keepLogs);
  }
  const reply = (await runner.run('report-jobs', keys, args)) as number[];
  return reply.map((answer) => (answer > 0 ? { rows: answer } : answer === 0 ? 'untracked' : 'gone'));
}
