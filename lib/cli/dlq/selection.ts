import type { DlqReason } from '../../engine/index.js';

export const REASONS = [
  'retries_exhausted',
  'decode_failed',
  'malformed',
  'oversize_payload',
  'unrecoverable',
  'expired',
] as const satisfies readonly DlqReason[];

/** Which dead letters. A dead letter must match all that are given. */
export interface FilterOptions {
  readonly reason?: (typeof REASONS)[number];
  readonly name?: string;
  /** Unix ms. */
  readonly since?: number;
  /** Unix ms. */
  readonly until?: number;
  readonly text?: string;
}

export interface SelectionOptions extends FilterOptions {
  /** Ids of dead letters or of their jobs. */
  readonly id?: readonly string[];
  readonly limit?: number;
}

/** For commands that change dead letters: they need a filter, a limit, or `--all`. */
export interface ChangeOptions extends SelectionOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

export const GROUPS = ['reason', 'name', 'hour', 'day'] as const;
