import type { StreamEntry } from '../../replies.js';

/** An entry of the work stream that a worker takes over or takes back. */
export interface FoundEntry {
  readonly entry: StreamEntry;
  /** How often it was delivered or started. */
  readonly starts: number;
  /** The job was cancelled: it must not run again. */
  readonly cancelled: boolean;
}

export type FoundRow = [id: Buffer, starts: number, fields: Buffer[], cancelled: number];

export function foundEntry([id, starts, fields, cancelled]: FoundRow): FoundEntry {
  return { entry: [id, fields], starts, cancelled: cancelled === 1 };
}
