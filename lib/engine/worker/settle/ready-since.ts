import { EXTRAS, readExtras, withExtras } from '../../codec/extras.js';
import { locateJob } from '../../codec/read-envelope.js';
import { readRoomHead } from '../../codec/room.js';
import { limitsOfJob, mayHaveTtl } from '../job-limits.js';
import type { LimitsSettings } from '../job-limits.js';
import type { Delivery } from '../lease/delivery.js';

/**
 * Since when a decoded job is ready for its first start, in unix ms by Redis's clock. Its entry's id says so, unless it was
 * put back before; undefined if its first start is past.
 */
export function readySince(delivery: Delivery): number | undefined {
  if (delivery.attempt > 1) return undefined;
  const ready = delivery.job?.[EXTRAS]?.ready;
  if (ready === 'started') return undefined;
  return ready ?? waitsSince(delivery);
}

/** A job of the room has its entry from its delivery on. */
function waitsSince({ entryId, roomHead }: Delivery): number {
  return (roomHead && readRoomHead(roomHead)?.since) ?? Number.parseInt(entryId, 10);
}

/**
 * The bytes of a job that goes back with no attempt used, so that its time to live does not start anew with its next entry;
 * undefined if they need not change. The job may not have been decoded.
 */
export function bytesWithReady(delivery: Delivery, settings: LimitsSettings): Buffer | undefined {
  const { source, from, to, name, ran } = delivery;
  if (from < 0) return undefined;
  try {
    const { attempt, jobTo } = locateJob(source, from, to);
    if (attempt > 0 || (jobTo === to && !mayHaveTtl(settings))) return undefined;
    const extras = readExtras(source, jobTo, to);
    if (limitsOfJob(settings, name, extras).ttlMs === Infinity) return undefined;
    const ready = ran ? 'started' : (extras?.ready ?? waitsSince(delivery));
    if (ready === extras?.ready) return undefined;
    return withExtras(source, jobTo, (map) => ({ ...map, ready }), from, to);
  } catch {
    // Not a Job: it goes back as it is, and the worker that fetches it dead-letters it.
    return undefined;
  }
}

/** The same for a job in the form in which it goes to the delayed set. */
export function withReady(delivery: Delivery, settings: LimitsSettings): GoingBack {
  const bytes = delivery.crashes > 0 ? undefined : bytesWithReady(delivery, settings);
  if (!bytes) return delivery;
  const { idSource, idFrom, idTo, jobId, name, attempt, durationUs, uniqueMs } = delivery;
  const where = { source: bytes, from: 0, to: bytes.length };
  return { idSource, idFrom, idTo, jobId, name, attempt, durationUs, uniqueMs, ...where };
}

export type GoingBack = Pick<
  Delivery,
  | 'idSource'
  | 'idFrom'
  | 'idTo'
  | 'jobId'
  | 'name'
  | 'attempt'
  | 'durationUs'
  | 'uniqueMs'
  | 'source'
  | 'from'
  | 'to'
>;
