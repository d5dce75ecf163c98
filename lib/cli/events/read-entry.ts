import { emitEvent } from '../../engine/api/emit-event.js';
import { emptyFields, readBatch } from '../../engine/codec/event-batch.js';
import type { EventFields } from '../../engine/codec/event-batch.js';

/** One event, as `QueueEvents` emits it. */
export interface ReadEvent {
  /** Of an event that shares its entry with others: the id of the entry, a colon, and its place from 1. */
  readonly id: string;
  readonly event: string;
  /** Empty for an event that concerns no job. */
  readonly jobId: string;
  readonly name: string;
  /** Unix ms. */
  readonly ts: number;
  /** What else the event says. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** An entry of the events stream, as Redis replies it. */
export type RawEntry = readonly [id: Buffer | string, fields: readonly (Buffer | string)[]];

/** The events of one entry, in their order. An entry that cannot be read becomes one event with its fields. */
export function eventsOf([rawId, raw]: RawEntry): ReadEvent[] {
  const id = String(rawId);
  const fields = emptyFields();
  for (let i = 0; i + 1 < raw.length; i += 2) fields[String(raw[i])] = String(raw[i + 1]);
  if (fields.e !== 'batch') return decode(fields.e, fields, id);
  try {
    const events: ReadEvent[] = [];
    let place = 0;
    for (const { event, jobs, fieldsOf } of readBatch(fields)) {
      for (let i = 0; i < jobs; i++) {
        place += 1;
        events.push(...decode(event, fieldsOf(i), `${id}:${String(place)}`));
      }
    }
    return events;
  } catch {
    const { e: _e, ...rest } = fields;
    return [{ id, event: 'batch', jobId: '', name: '', ts: timeOf(id), data: rest }];
  }
}

function decode(name: string | undefined, fields: EventFields, id: string): ReadEvent[] {
  const events: ReadEvent[] = [];
  emitEvent(
    (event, ...args: unknown[]) => {
      // The second name of `dlq`.
      if (event === 'retries-exhausted') return;
      const [payload] = args.length > 1 ? args : [{}];
      if (event === 'unknown') {
        const { e: _e, id: jobId = '', n = '', ts, ...data } = fields;
        events.push({ id, event: name ?? '', jobId, name: n, ts: Number(ts ?? timeOf(id)), data });
        return;
      }
      const {
        jobId = '',
        name: job = '',
        ts,
        ...data
      } = payload as Partial<ReadEvent> & Record<string, unknown>;
      events.push({ id, event, jobId, name: job, ts: ts ?? (Number(fields.ts) || timeOf(id)), data });
    },
    name,
    fields,
    id,
  );
  return events;
}

function timeOf(id: string): number {
  return Number(id.split('-')[0]);
}
