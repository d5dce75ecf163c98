import type { ScriptArgument } from '../../script-runner.js';

// The events of many jobs in one entry of the events stream: see lua/lib/event-batch.lua.

/** How a script writes events. */
export interface EventOptions {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** The events of at least this many jobs share an entry; 0 = each has its own. */
  eventsBatchFrom: number;
}

/** The field that holds a list, and the field that holds the value of one job. */
export const SINGULAR = {
  ids: 'id',
  names: 'n',
  attempts: 'attempt',
  durations_us: 'duration_us',
  returnvalues: 'returnvalue',
  reasons: 'reason',
  backoffs_ms: 'backoff_ms',
  delays_ms: 'delay_ms',
  deduplication_ids: 'deduplication_id',
  deduplicated_job_ids: 'deduplicated_job_id',
} as const;

export type Plural = keyof typeof SINGULAR;

/**
 * Adds one property of the events: as the field of one job when all jobs have the same value, else as a JSON list in
 * `many`. Adds nothing when the value is '' for all.
 */
export function addColumn<T>(
  columns: ScriptArgument[],
  many: Plural,
  items: readonly T[],
  valueOf: (item: T) => string | number,
): void {
  const values = items.map(valueOf);
  const first = values[0] ?? '';
  if (values.some((value) => value !== first)) columns.push(many, jsonOf(values));
  else if (first !== '') columns.push(SINGULAR[many], first);
}

/** Scripts cannot read half of a surrogate pair as JSON, and a message may contain one. */
function jsonOf(values: readonly (string | number)[]): string {
  const json = JSON.stringify(values);
  if (!json.includes('\\ud')) return json;
  return JSON.stringify(values.map((value) => (typeof value === 'string' ? wellFormed(value) : value)));
}

function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

/** What the event `active` says of a job. */
export interface StartedJob {
  readonly jobId: string;
  readonly name: string;
  readonly attempt: number;
}

/** What the events of a run that has ended say of a job. */
export interface EndedJob extends StartedJob {
  readonly durationUs: number;
}

export function startColumns(jobs: readonly StartedJob[]): ScriptArgument[] {
  const columns: ScriptArgument[] = [];
  addColumn(columns, 'ids', jobs, ({ jobId }) => jobId);
  addColumn(columns, 'names', jobs, ({ name }) => name);
  addColumn(columns, 'attempts', jobs, ({ attempt }) => attempt);
  return columns;
}

export function endColumns(jobs: readonly EndedJob[]): ScriptArgument[] {
  const columns = startColumns(jobs);
  addColumn(columns, 'durations_us', jobs, ({ durationUs }) => durationUs);
  return columns;
}
