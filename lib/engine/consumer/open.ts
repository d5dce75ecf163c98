import { decodeEnvelope } from '../envelope.js';
import type { Envelope } from '../envelope.js';
import { messageOf } from '../errors.js';
import type { DlqReason } from '../metrics.js';
import { decodePayload } from '../payload.js';
import { MAX_ID_BYTES } from '../validate.js';
import type { Delivery } from './delivery.js';

/** A job that can run, or why its entry cannot be one. */
export type Opened =
  { ok: true; envelope: Envelope; data: unknown } | { ok: false; reason: DlqReason; detail: string };

/** More than any envelope adds to its payload. */
const ENVELOPE_BYTES = 2_048;

/** Reads the entry's bytes. Nothing that can stand in a stream makes it throw. */
export function open(delivery: Delivery, maxPayloadBytes: number): Opened {
  const { bytes } = delivery;
  if (!bytes)
    return { ok: false, reason: 'malformed', detail: 'missing payload: the entry has no field "d"' };
  if (bytes.length > maxPayloadBytes + ENVELOPE_BYTES) return oversize(bytes.length, maxPayloadBytes);
  try {
    const envelope = decodeEnvelope(bytes);
    const idBytes = Buffer.byteLength(envelope.id);
    if (idBytes > MAX_ID_BYTES) {
      return {
        ok: false,
        reason: 'decode_failed',
        detail: `the id has ${String(idBytes)} bytes; ${String(MAX_ID_BYTES)} are allowed`,
      };
    }
    delivery.jobId = envelope.id;
    delivery.used = envelope.attempt;
    delivery.attempt = envelope.attempt + delivery.crashes + 1;
    if (envelope.payload.length > maxPayloadBytes) return oversize(envelope.payload.length, maxPayloadBytes);
    return { ok: true, envelope, data: decodePayload(envelope.payload) };
  } catch (error) {
    return { ok: false, reason: 'decode_failed', detail: messageOf(error) };
  }
}

function oversize(bytes: number, most: number): Opened {
  const detail = `the payload has ${String(bytes)} bytes; maxPayloadBytes is ${String(most)}`;
  return { ok: false, reason: 'oversize_payload', detail };
}
