import type { DlqReason } from '../../base/metrics.js';
import type { Schema } from '../check-options.js';
import { anything, boolean, isWellFormed, limitMs, NOT_WELL_FORMED, show, whole } from '../checks.js';
import type { Check } from '../checks.js';
import { operationSchema } from './operation.js';
import type { OperationOptions } from './operation.js';

/** Filters dead letters. A dead letter must match all fields that are set. */
export interface DlqFilter {
  /** Dispatch name; '' = jobs without a name. */
  name?: string;
  reason?: DlqReason;
  /** Text in the detail, in the stack, or in the bytes of the job, and so in any string of its data. Case matters. */
  text?: string;
  /** Only jobs that became dead letters at this time or later. Unix ms, or a Date. */
  since?: number | Date;
  /** Only jobs that became dead letters before this time. Unix ms, or a Date. */
  until?: number | Date;
}

/** Selects dead letters. A dead letter must match all fields that are set; no field selects all. */
export interface DlqSelection extends DlqFilter {
  /** Ids of dead letters (`dlqId`) or of their jobs (`jobId`). */
  ids?: readonly string[];
}

/** What `getDlq` reads. */
export interface DlqPageOptions extends DlqFilter {
  /** Default `newest`. */
  order?: 'newest' | 'oldest';
  /** `next` of the page before. Default: begin. */
  after?: string;
  /** The most dead letters of the page: from 1 to 1,000. Default 50. */
  limit?: number;
}

/** What `getDlqHistogram` counts. */
export interface DlqHistogramOptions extends DlqFilter, OperationOptions {
  /** `hour` and `day` are in UTC. Default `reason`. */
  by?: 'reason' | 'name' | 'hour' | 'day';
}

const REASONS: readonly DlqReason[] = [
  'retries_exhausted',
  'decode_failed',
  'malformed',
  'oversize_payload',
  'unrecoverable',
  'expired',
];

const ids: Check = (value) => {
  const must = 'must be an array that has only strings';
  if (!Array.isArray(value)) return must;
  const odd = (value as unknown[]).findIndex((id) => typeof id !== 'string');
  return odd === -1 ? undefined : `${must}, not ${show(value[odd])} at index ${String(odd)}`;
};

const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string) ? undefined : `must be one of ${values.join(', ')}`;

const string: Check = (value) => {
  if (typeof value !== 'string') return 'must be a string';
  return isWellFormed(value) ? undefined : NOT_WELL_FORMED;
};

/** Text in the bytes of a job: an empty one would be in all. */
const text: Check = (value) => string(value) ?? (value === '' ? 'must not be empty' : undefined);

const time: Check = (value) => {
  const at = value instanceof Date ? value.getTime() : value;
  return whole(0)(at) === undefined ? undefined : 'must be a Date or whole unix ms';
};

const filter: Schema<DlqFilter> = {
  name: string,
  reason: oneOf(...REASONS),
  text,
  since: time,
  until: time,
};

/** What `dropDlq` deletes. */
export interface DropDlqOptions extends DlqSelection, OperationOptions {
  /** All dead letters. */
  all?: boolean;
  /** The most that are deleted. Default: all that match. */
  limit?: number;
}

/** What `replayDlq` moves. */
export interface ReplayDlqOptions extends DlqSelection, OperationOptions {
  /** The most that are moved. Default: all that match. */
  limit?: number;
}

export const dropSchema: Schema<DropDlqOptions> = {
  ...filter,
  ...operationSchema,
  ids,
  all: boolean,
  limit: limitMs(0),
};

export const replaySchema: Schema<ReplayDlqOptions> = {
  ...filter,
  ...operationSchema,
  ids,
  limit: limitMs(0),
};

export const dlqPageSchema: Schema<DlqPageOptions> = {
  ...filter,
  order: oneOf('newest', 'oldest'),
  // The reader of the cursor checks it, with an error of its own.
  after: anything,
  limit: whole(1, 1_000),
};

export const dlqHistogramSchema: Schema<DlqHistogramOptions> = {
  ...filter,
  by: oneOf('reason', 'name', 'hour', 'day'),
  ...operationSchema,
};
