/** Backoff in the wire format: `[kind, delay_ms, max_delay_ms | nil, multiplier | nil, jitter_ms | nil]`. */
export interface WireBackoff {
  kind: string;
  delayMs: number;
  maxDelayMs?: number | undefined;
  multiplier?: number | undefined;
  jitterMs?: number | undefined;
}

/** Retry options of one job in the wire format: `[max_attempts | nil, backoff | nil]`. */
export interface WireRetry {
  maxAttempts?: number | undefined;
  backoff?: WireBackoff | undefined;
}

/** A job in the wire format: a MessagePack array of 4 or 5 elements (the Job), and the map of its extras behind it. */
export interface Envelope {
  id: string;
  /** MessagePack of the user's data, embedded unchanged. */
  payload: Buffer;
  createdAtMs: number;
  /** Attempts used so far: 0 on the first delivery. */
  attempt: number;
  retry?: WireRetry | undefined;
  /** The map behind the Job: see extras.ts. */
  extras?: Buffer | undefined;
}
