import type { Schema } from '../check-options.js';
import { boolean, whole } from '../checks.js';
import { signal } from '../checks.js';
import type { Check } from '../checks.js';

/** How far a long operation is. */
export interface OperationProgress {
  /** How many jobs it has changed so far; of a search or a count: how many it has looked at. */
  done: number;
  /** About how many there are in all, if that is known without counting them. */
  total?: number;
  /** Of `replayDlq`: how many dead letters it has left where they are. Not set while there are none. */
  skipped?: number;
}

/** A long operation runs in many short steps. */
export interface OperationOptions {
  /** Ends the operation between two steps: the call rejects with the reason of the signal. What was done stays done. */
  signal?: AbortSignal;
  /** Called after each step; a promise is awaited. If it fails, the operation ends and the call rejects with that error. */
  onProgress?: (progress: OperationProgress) => unknown;
}

const onProgress: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');

export const operationSchema: Schema<OperationOptions> = { signal, onProgress };

/** The states of jobs that `clean` removes. `wait` and `waiting` are the same. `paused`: those that wait in a paused queue. */
export const CLEAN_TYPES = [
  'completed',
  'wait',
  'waiting',
  'active',
  'paused',
  'prioritized',
  'delayed',
  'failed',
] as const;
export type CleanType = (typeof CLEAN_TYPES)[number];

export interface PromoteJobsOptions extends OperationOptions {
  /** How many jobs one step promotes at most: from 1 to 5,000. Default 250. */
  count?: number;
}

export interface RetryJobsOptions extends OperationOptions {
  /** How many jobs one step moves at most: from 1 to 5,000. Default 250. */
  count?: number;
  /** Which jobs run again: those that have failed, or those that have completed and are kept. Default `failed`. */
  state?: 'failed' | 'completed';
  /** Only jobs that ended at or before this time, in unix ms. Default: now. */
  timestamp?: number;
}

export interface ObliterateOptions extends OperationOptions {
  /** Also if jobs are active: they end as lost. Default false. */
  force?: boolean;
  /** How many keys one step looks at: from 1 to 10,000. Default 500. */
  count?: number;
}

const count = whole(1, 5_000);
const state: Check = (value) =>
  value === 'failed' || value === 'completed' ? undefined : 'must be "failed" or "completed"';

export const promoteJobsSchema: Schema<PromoteJobsOptions> = { ...operationSchema, count };
export const retryJobsSchema: Schema<RetryJobsOptions> = {
  ...operationSchema,
  count,
  state,
  timestamp: whole(0),
};
export const obliterateSchema: Schema<ObliterateOptions> = {
  ...operationSchema,
  force: boolean,
  count: whole(1, 10_000),
};
