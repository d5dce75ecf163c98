import { SINGULAR } from '../../redis/scripts/lib/event-batch.js';
import type { Plural } from '../../redis/scripts/lib/event-batch.js';

// One entry of the events stream may hold the events of many jobs: see lua/lib/event-batch.lua.

/** The fields of one event. */
export type EventFields = Record<string, string>;

/** Events of one kind, in their order. */
export interface EventRun {
  readonly event: string;
  readonly jobs: number;
  fieldsOf: (index: number) => EventFields;
}

/**
 * Reads an entry that holds the events of many jobs.
 * @throws SyntaxError if it is not such an entry
 */
export function readBatch(batch: EventFields): EventRun[] {
  const { of = '', ts = '0', started } = batch;
  const same: [field: string, value: string][] = [['ts', ts]];
  const lists: [field: string, values: unknown[]][] = [];
  let jobs = 1;
  for (const [field, value] of Object.entries(batch)) {
    if (isPlural(field)) {
      const one = SINGULAR[field];
      const values = JSON.parse(value) as unknown;
      if (!Array.isArray(values)) throw new SyntaxError(`A batch of events has no list in "${field}".`);
      lists.push([one, values]);
      if (one === 'id') jobs = values.length;
    } else if (!OWN_FIELDS.has(field)) same.push([field, value]);
  }
  const fieldsOf = (index: number): EventFields => {
    const fields = emptyFields();
    for (const [field, value] of same) fields[field] = value;
    for (const [field, values] of lists) {
      const value = values[index];
      if (value !== '' && (typeof value === 'string' || typeof value === 'number')) {
        fields[field] = String(value);
      }
    }
    return fields;
  };
  const startedJobs = started === undefined ? jobs : Math.min(jobs, Number(started) || 0);
  return of.split(',').map((event) => {
    return { event, jobs: event === 'active' ? startedJobs : jobs, fieldsOf: fieldsOfEvent(event, fieldsOf) };
  });
}

/** Field names come from Redis, so `__proto__` must not count. */
function isPlural(field: string): field is Plural {
  return Object.hasOwn(SINGULAR, field);
}

/** Fields of the batch itself. */
const OWN_FIELDS = new Set(['e', 'of', 'ts', 'jobs', 'started']);

function fieldsOfEvent(
  event: string,
  fieldsOf: (index: number) => EventFields,
): (index: number) => EventFields {
  if (event !== 'retry-scheduled') return fieldsOf;
  // The list has the attempt that failed; the event has the next one.
  return (index) => {
    const fields = fieldsOf(index);
    return Object.assign(fields, { attempt: String(Number(fields.attempt ?? 0) + 1) });
  };
}

/** Field names come from Redis, so the object has no prototype that they could reach. */
export function emptyFields(): EventFields {
  return Object.create(null) as EventFields;
}
