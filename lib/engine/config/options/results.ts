import type { Schema } from '../check-options.js';
import { limitMs, ms, signal } from '../checks.js';

export interface WaitForResultOptions {
  /** In ms. `Infinity`: no limit. Default 30,000. */
  timeoutMs?: number;
  /** Accepted and ignored: an event ends the wait. Default 100. */
  intervalMs?: number;
  /** Ends the wait early, with the signal's reason. Default: none. */
  signal?: AbortSignal;
}

export const waitSchema: Schema<WaitForResultOptions> = {
  timeoutMs: limitMs(0),
  intervalMs: ms(1),
  signal,
};
