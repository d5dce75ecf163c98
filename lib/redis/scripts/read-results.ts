import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ReadResultsOptions {
  /** For so many ms, scripts that end jobs say so to result waiters; undefined = the caller does not wait. */
  waitersMs: number | undefined;
  jobIds: readonly string[];
}

export type ResultState = (typeof STATES)[number];

export interface StoredResult {
  /** MessagePack of the stored result. */
  readonly value: Buffer | undefined;
  /** Why there is no result: see lua/dead-letter.lua and lua/lib/result-waiters.lua. */
  readonly why: string | undefined;
  /**
   * Of a job that has neither. `unknown`: its end may be on its way. `queue-empty`: the queue holds no job at all.
   * `ended`, `live`: the marker of its id says so. `completed`: it is tracked, and has no result.
   */
  readonly state: ResultState;
}

export interface ReadResultsReply {
  /** The newest entry of the stream `ended`; '' if there is none, or the caller does not wait. */
  newest: string;
  /** Of the first jobs asked for: as many as fit into a megabyte, at least one. */
  results: StoredResult[];
}

const STATES = ['unknown', 'queue-empty', 'ended', 'live', 'completed'] as const;

/** Reads how jobs have ended. */
export async function readResults(
  runner: ScriptRunner,
  keys: QueueKeys,
  { waitersMs, jobIds }: ReadResultsOptions,
): Promise<ReadResultsReply> {
  const reply = await runner.run('read-results', keys, [waitersMs ?? '', ...jobIds], { buffers: true });
  const [newest, ...found] = reply as [Buffer, ...(Buffer | number | null)[]];
  const results: StoredResult[] = [];
  for (let i = 0; i < found.length; i += 3) {
    const [value, why, state] = found.slice(i, i + 3) as [Buffer | null, Buffer | null, 0 | 1 | 2 | 3 | 4];
    results.push({ value: value ?? undefined, why: why?.toString(), state: STATES[state] });
  }
  return { newest: newest.toString(), results };
}
