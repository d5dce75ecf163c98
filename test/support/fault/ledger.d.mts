/** One line of a ledger. What the engine says of a run stands beside what the handler saw of it. */
export interface LedgerRecord {
  /** Unix ms. */
  readonly at: number;
  /** The process, or the worker inside it. */
  readonly by: string;
  readonly kind:
    /** A producer is about to add `id`; then what became of that. A cut or a timeout is UNKNOWN, never REJECT. */
    | 'ATTEMPT'
    | 'ACK'
    | 'REJECT'
    | 'UNKNOWN'
    /** A handler was called, returned, threw, and was told by its signal. */
    | 'START'
    | 'FINISH'
    | 'THROW'
    | 'ABORT'
    /** A handler was called with a batch; `detail` says of how many jobs. */
    | 'BATCH'
    /** The engine said: committed, retried or dead-lettered, an error. */
    | 'COMPLETED'
    | 'FAILED'
    | 'ERROR';
  readonly id: string;
  readonly attempt?: number;
  /** Of the payload. */
  readonly hash?: string;
  readonly detail?: string;
}

/** An append-only file, written synchronously: what was recorded survives `kill -9`. After `close` it ignores writes. */
export interface Ledger {
  readonly by: string;
  write(kind: LedgerRecord['kind'], id: string, more?: Partial<LedgerRecord>): void;
  close(): void;
}

export function openLedger(path: string, by: string, onWrite?: (record: LedgerRecord) => void): Ledger;

/** Order of keys counts, as it does on the wire. */
export function hashOf(data: unknown): string;
