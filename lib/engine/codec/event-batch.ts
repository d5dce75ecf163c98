import { SINGULAR } from '../../redis/scripts/lib/event-batch.js';
import type { Plural } from '../../redis/scripts/lib/event-batch.js';

// Reads the events of many jobs out of one entry of the stream: see lua/lib/event-batch.lua.

/** An event's fields, as an entry of its own has them. */
export type EventFields = Record<string, string>;

/** Some events of one kind, in their order. */
export interface EventRun {
  readonly event: string;
  readonly jobs: number;
  fieldsOf: (index: number) => EventFields;
}

/**
 * What stands in an entry for many jobs.
 * @throws SyntaxError where it is no such entry
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

/** Fields come from Redis: `__proto__` is none. */
function isPlural(field: string): field is Plural {
  return Object.hasOwn(SINGULAR, field);
}

/** What a batch says of itself. */
const OWN_FIELDS = new Set(['e', 'of', 'ts', 'jobs', 'started']);

function fieldsOfEvent(
  event: string,
  fieldsOf: (index: number) => EventFields,
): (index: number) => EventFields {
  if (event !== 'retry-scheduled') return fieldsOf;
  // The list has the attempt that failed; the event tells the next one.
  return (index) => {
    const fields = fieldsOf(index);
    return Object.assign(fields, { attempt: String(Number(fields.attempt ?? 0) + 1) });
  };
}

/** Field names come from Redis: none of them may reach a prototype. */
export function emptyFields(): EventFields {
  return Object.create(null) as EventFields;
}
