import type { DlqReason } from '../../base/metrics.js';
import type { Schema } from '../check-options.js';
import { anything, boolean } from '../checks.js';
import type { Check } from '../checks.js';

/** Selects dead letters. A dead letter must match all fields that are set; no field selects all. */
export interface DlqSelection {
  /** Ids of dead letters (`dlqId`) or of their jobs (`jobId`). */
  ids?: readonly string[];
  reason?: DlqReason;
}

const REASONS: readonly DlqReason[] = [
  'retries_exhausted',
  'decode_failed',
  'malformed',
  'oversize_payload',
  'unrecoverable',
];

const ids: Check = (value) =>
  Array.isArray(value) && value.every((id) => typeof id === 'string') ? undefined : 'must be an array of ids';

const reason: Check = (value) =>
  REASONS.includes(value as DlqReason) ? undefined : `must be one of ${REASONS.join(', ')}`;

export const dropSchema: Schema<DlqSelection & { all?: boolean }> = { ids, reason, all: boolean };

// checkLimit checks the limit.
export const replaySchema: Schema<DlqSelection & { limit?: number }> = { ids, reason, limit: anything };
