import type { StreamEntry } from '../../redis/replies.js';
import type { Job } from '../job.js';

/** One entry that this worker holds the lease of: the record that every step of running a job works on. */
export interface Delivery {
  readonly entryId: string;
  /** The bytes of `d`; undefined where the entry has none. */
  readonly bytes: Buffer | undefined;
  /** Dispatch name. */
  readonly name: string;
  /** The entry's `u`: its id was the caller's, and stays taken for so many ms. */
  readonly uniqueMs: string | undefined;
  /** How many workers have died while they ran it. */
  readonly crashes: number;
  /** Attempts used by failures, as the envelope says. */
  used: number;
  /** This attempt, from 1. */
  attempt: number;
  jobId: string;
  job: Job | undefined;
  /** Monotonic ms. */
  startedAt: number;
  durationUs: number;
  /** Its `active` event is out, or on its way. */
  announced: boolean;
  /** The handler is running. */
  running: boolean;
  /** It runs alone among its kind: see `suspects` of the consumer. */
  suspect: boolean;
  /** The lease passed to somebody else: what the handler returns is dropped. */
  lost: boolean;
  controller: AbortController | undefined;
  /** Its place among what is held: see `Held`. */
  isHeld: boolean;
  previous: Delivery | undefined;
  next: Delivery | undefined;
}

/** @param crashes how many workers have died with the entry */
export function toDelivery([rawId, fields]: StreamEntry, crashes: number): Delivery {
  let bytes: Buffer | undefined;
  let name = '';
  let uniqueMs: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const field = fields[i] as Buffer;
    if (field.length !== 1) continue;
    const value = fields[i + 1] as Buffer;
    if (field[0] === 0x64) bytes = value;
    else if (field[0] === 0x6e) name = value.toString('utf8', 0, Math.min(value.length, 256));
    else if (field[0] === 0x75) uniqueMs = value.toString('latin1', 0, Math.min(value.length, 20));
  }
  return {
    entryId: rawId.toString('latin1'),
    bytes,
    name,
    uniqueMs: uniqueMs !== undefined && /^\d{1,15}$/.test(uniqueMs) ? uniqueMs : undefined,
    crashes,
    used: 0,
    attempt: crashes + 1,
    jobId: '',
    job: undefined,
    startedAt: 0,
    durationUs: 0,
    announced: false,
    running: false,
    suspect: false,
    lost: false,
    controller: undefined,
    isHeld: false,
    previous: undefined,
    next: undefined,
  };
}
