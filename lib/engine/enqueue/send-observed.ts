import type { Guarded, ProducerTelemetry, Sending, TraceCarrier } from '../base/telemetry.js';
import { attempt } from '../base/safe-access.js';
import { appendField, traceWithin } from '../codec/trace.js';
import type { Duplicates } from './group.js';
import type { NewJob } from './new-job.js';

/** An add, and what a telemetry gets to know of it. Whatever the telemetry does, the add is the same. */
export function sendObserved(
  telemetry: Guarded<ProducerTelemetry>,
  jobs: readonly NewJob[],
  maxPayloadBytes: number,
  add: () => Promise<Duplicates>,
): Promise<Duplicates> {
  const sending = telemetry.send?.(jobs);
  if (!sending) return add();
  try {
    const { carrier } = sending;
    if (carrier) attach(carrier, jobs, maxPayloadBytes);
  } catch {
    // Anybody's carrier: the jobs go without it.
  }
  const added = add();
  tellEnd(sending, added);
  return added;
}

function tellEnd(sending: Sending, added: Promise<Duplicates>): void {
  if (!sending.ended) return;
  added.then(
    ({ size }) => attempt(() => sending.ended?.(undefined, size)),
    (error: unknown) => attempt(() => sending.ended?.(error, 0)),
  );
}

/** The encoded form of the carrier of the last call: the adds of one request usually have the same, and the same extras. */
let last: LastCarrier | undefined;

interface LastCarrier {
  readonly carrier: TraceCarrier;
  readonly field: Buffer | undefined;
  /** Extras, and the same with the field. */
  before: Buffer | undefined;
  after: Buffer | undefined;
}

/** Gives the carrier to each job. What does not fit stays behind: a trace is no reason to refuse a job. */
function attach(carrier: TraceCarrier, jobs: readonly NewJob[], maxPayloadBytes: number): void {
  if (last?.carrier !== carrier) {
    const field = traceWithin(carrier, Infinity);
    last = { carrier, field, before: undefined, after: field && appendField(undefined, field) };
  }
  for (const job of jobs) {
    const { extras, payload } = job;
    const left = maxPayloadBytes - payload.length - (extras?.length ?? 0);
    const field = (last.field?.length ?? 0) <= left ? last.field : traceWithin(carrier, left);
    if (!field) continue;
    if (field !== last.field) {
      job.extras = appendField(extras, field) ?? extras;
      continue;
    }
    if (extras !== last.before) {
      last.before = extras;
      last.after = appendField(extras, field) ?? extras;
    }
    job.extras = last.after;
  }
}
