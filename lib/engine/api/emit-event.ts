import type { EventFields } from '../codec/event-batch.js';
import { decodeReturnValue } from '../codec/payload.js';
import type { JobProgress } from '../job/attempts.js';
import type { QueueEvent, QueueEventsMap } from './queue-event-types.js';

/** Calls the listeners of one event. */
export type Emit = <E extends keyof QueueEventsMap>(event: E, ...args: QueueEventsMap[E]) => void;

/** Emits the event that an entry, or one place of a batch, describes. */
export function emitEvent(emit: Emit, event: string | undefined, fields: EventFields, eventId: string): void {
  const base: QueueEvent = { jobId: fields.id ?? '', name: fields.n ?? '', ts: Number(fields.ts ?? 0) };
  const attempt = Number(fields.attempt ?? 0);
  const durationUs = Number(fields.duration_us ?? 0);
  switch (event) {
    case 'waiting':
      emit('waiting', base, eventId);
      return;
    case 'active':
      emit('active', { ...base, prev: '', attempt }, eventId);
      return;
    case 'completed':
      emit('completed', { ...base, attempt, durationUs, returnvalue: returnValueOf(fields) }, eventId);
      return;
    case 'failed':
      emit(
        'failed',
        {
          ...base,
          failedReason: fields.reason ?? '',
          attempt,
          durationUs,
          ...(fields.cancelled === '1' && { cancelled: true }),
          ...(fields.expired === '1' && { expired: true }),
        },
        eventId,
      );
      return;
    case 'retry-scheduled':
      emit('retry-scheduled', { ...base, attempt, backoffMs: Number(fields.backoff_ms ?? 0) }, eventId);
      return;
    case 'delayed':
      emit('delayed', { ...base, delay: Number(fields.delay_ms ?? 0) }, eventId);
      return;
    case 'dlq': {
      const reason = fields.reason ?? '';
      emit('dlq', { ...base, reason, attempt }, eventId);
      emit('retries-exhausted', { ...base, reason, attemptsMade: attempt }, eventId);
      return;
    }
    case 'removed':
      emit('removed', { ...base, prev: fields.prev ?? '' }, eventId);
      return;
    case 'cleaned':
      emit('cleaned', { count: Number(fields.count ?? 0), type: fields.type ?? '', ts: base.ts }, eventId);
      return;
    case 'stalled':
      emit('stalled', base, eventId);
      return;
    case 'deduplicated':
      emit('deduplicated', { ...base, ...deduplicationOf(fields) }, eventId);
      return;
    case 'paused':
    case 'resumed':
      emit(event, { ts: base.ts }, eventId);
      return;
    case 'progress':
      emit('progress', { ...base, data: progressOf(fields) }, eventId);
      return;
    case 'log':
      emit('log', { ...base, row: fields.row ?? '' }, eventId);
      return;
    case 'drained':
      emit('drained', eventId);
      return;
    default:
      emit('unknown', { eventName: event ?? '', fields }, eventId);
  }
}

function deduplicationOf({
  deduplication_id: deduplicationId = '',
  deduplicated_job_id: other = '',
}: EventFields): {
  deduplicationId: string;
  deduplicatedJobId: string;
} {
  return { deduplicationId, deduplicatedJobId: other };
}

function progressOf({ data = '0' }: EventFields): JobProgress {
  try {
    return JSON.parse(data) as JobProgress;
  } catch {
    // Another program wrote it.
    return data;
  }
}

function returnValueOf({ returnvalue }: EventFields): unknown {
  return returnvalue === undefined ? undefined : decodeReturnValue(returnvalue);
}
