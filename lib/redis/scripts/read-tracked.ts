import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { readCompletion } from './lib/tracked.js';
import type { CompletedRecord } from './lib/tracked.js';

/** What is kept of one job. */
export interface StoredTracked {
  /** Set if the job has completed. */
  readonly completed: CompletedRecord | undefined;
  /** The id of the dead letter, if the job has failed for good. */
  readonly deadLetterId: string | undefined;
  /** Fields of `job-runs`: see lua/lib/tracked.lua. */
  readonly runs: ReadonlyMap<string, string>;
}

/** Reads what is kept of tracked jobs: of the first jobs asked for, as many as fit into a megabyte, at least one. */
export async function readTracked(
  runner: ScriptRunner,
  keys: QueueKeys,
  jobIds: readonly string[],
): Promise<StoredTracked[]> {
  const reply = await runner.run('read-tracked', keys, jobIds, { buffers: true });
  const parts = reply as (Buffer | null | Buffer[])[];
  const jobs: StoredTracked[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const record = (parts[i] as Buffer | null) ?? undefined;
    const fields = (parts[i + 1] as Buffer[]).map(String);
    const runs = new Map<string, string>();
    for (let f = 0; f + 1 < fields.length; f += 2) runs.set(fields[f] as string, fields[f + 1] as string);
    const deadLetterId = record?.[0] === F ? record.toString('latin1', 1) : undefined;
    jobs.push({ completed: record && readCompletion(record), deadLetterId, runs });
  }
  return jobs;
}

const F = 0x66;
