import { locateJob } from '../../codec/read-envelope.js';
import { messageOf } from '../../base/errors.js';
import { EXTRAS, readExtras } from '../../codec/extras.js';
import { readKeep } from '../../codec/keep.js';
import { Job } from '../../job/job.js';
import { ownOptions } from '../../job/own-options.js';
import type { JobOwner } from '../../job/job.js';
import type { DlqReason } from '../../base/metrics.js';
import { decodePayload } from '../../codec/payload.js';
import { MAX_ID_BYTES } from '../../config/check-arguments.js';
import type { Delivery } from '../lease/delivery.js';

/** Why an entry cannot be a job. */
export interface Unreadable {
  reason: DlqReason;
  detail: string;
}

/** More than any envelope adds to its payload. */
const ENVELOPE_BYTES = 2_048;

/**
 * Reads the entry's bytes into the delivery. Nothing that can stand in a stream makes it throw; what is wrong with them
 * is returned.
 */
export function decode(delivery: Delivery, owner: JobOwner, maxPayloadBytes: number): Unreadable | undefined {
  const { source, from, to } = delivery;
  if (from < 0) return { reason: 'malformed', detail: 'missing payload: the entry has no field "d"' };
  if (to - from > maxPayloadBytes + ENVELOPE_BYTES) {
    delivery.jobId = idOf(source, from, to);
    return oversize(to - from, maxPayloadBytes);
  }
  try {
    const { id, payloadFrom, payloadTo, createdAtMs, attempt, retry, jobTo } = locateJob(source, from, to);
    const idBytes = id.length * 3 <= MAX_ID_BYTES ? 0 : Buffer.byteLength(id);
    if (idBytes > MAX_ID_BYTES) {
      return {
        reason: 'decode_failed',
        detail: `the id has ${String(idBytes)} bytes; ${String(MAX_ID_BYTES)} are allowed`,
      };
    }
    delivery.jobId = id;
    delivery.used = attempt;
    delivery.attempt = attempt + delivery.crashes + 1;
    delivery.retry = retry;
    const payloadBytes = payloadTo - payloadFrom;
    if (payloadBytes > maxPayloadBytes) return oversize(payloadBytes, maxPayloadBytes);
    const data = decodePayload(source, payloadFrom, payloadTo);
    const extras = jobTo < to ? readExtras(source, jobTo, to) : undefined;
    delivery.job = new Job(owner, {
      id,
      name: delivery.name,
      data,
      opts: retry || extras ? ownOptions(retry, extras) : {},
      attemptsMade: delivery.attempt,
      timestamp: createdAtMs,
      delay: 0,
      context: delivery,
    });
    if (extras) {
      delivery.job[EXTRAS] = extras;
      if (extras.keep !== undefined) delivery.keep = readKeep(extras.keep);
    }
    return undefined;
  } catch (error) {
    return { reason: 'decode_failed', detail: messageOf(error) };
  }
}

/** The job id of an entry that is not decoded, for result waiters and to free the id; '' if there is none. */
function idOf(source: Buffer, from: number, to: number): string {
  try {
    const { id } = locateJob(source, from, to);
    return Buffer.byteLength(id) > MAX_ID_BYTES ? '' : id;
  } catch {
    return '';
  }
}

function oversize(bytes: number, most: number): Unreadable {
  const detail = `the payload has ${String(bytes)} bytes; maxPayloadBytes is ${String(most)}`;
  return { reason: 'oversize_payload', detail };
}
