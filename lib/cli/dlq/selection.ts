/** As `DlqReason` of the engine. */
export const REASONS = [
  'retries_exhausted',
  'decode_failed',
  'malformed',
  'oversize_payload',
  'unrecoverable',
  'expired',
] as const;

/** Which dead letters. A dead letter must match all that are given. */
export interface SelectionOptions {
  readonly id?: readonly string[];
  readonly reason?: (typeof REASONS)[number];
  readonly name?: string;
  readonly since?: number;
  readonly until?: number;
  readonly text?: string;
  readonly limit?: number;
}

/** For commands that change dead letters: they need a selection, a limit, or `--all`. */
export interface ChangeOptions extends SelectionOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
}
