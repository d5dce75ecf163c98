import type { WireBackoff } from '../codec/envelope.js';
import type { BackoffOptions, RetryConfig } from '../config/options.js';

export const RETRY_DEFAULTS: Required<RetryConfig> = {
  initialBackoffMs: 100,
  maxBackoffMs: 30_000,
  multiplier: 2,
  jitterMs: 100,
};

export interface RetrySettings extends Required<RetryConfig> {
  /** Jitter is at most so much of the delay that it changes. Set where nobody has configured `jitterMs`. */
  jitterShare?: number;
}

/** Then a fixed delay of 30 ms is never 0. */
const JITTER_SHARE = 0.25;

/** What a worker was given as `retry`, over the defaults. An option given as undefined is one that is not given. */
export function toRetrySettings(config: RetryConfig = {}): RetrySettings {
  const settings = {
    initialBackoffMs: config.initialBackoffMs ?? RETRY_DEFAULTS.initialBackoffMs,
    maxBackoffMs: config.maxBackoffMs ?? RETRY_DEFAULTS.maxBackoffMs,
    multiplier: config.multiplier ?? RETRY_DEFAULTS.multiplier,
    jitterMs: config.jitterMs ?? RETRY_DEFAULTS.jitterMs,
  };
  return config.jitterMs === undefined ? { ...settings, jitterShare: JITTER_SHARE } : settings;
}

export const BUILT_IN_BACKOFFS = ['fixed', 'exponential'] as const;

/**
 * How long to wait after `attempt` (from 1) has failed, in whole ms: `min(initial * multiplier^(attempt-1), max)`, then
 * symmetric jitter, never below 0. `fixed` does not grow; a kind nobody knows counts as exponential. Always a finite number.
 * @param random a number in [0, 1), as Math.random gives
 */
export function backoffMs(
  attempt: number,
  spec: WireBackoff | undefined,
  defaults: RetrySettings,
  random: () => number,
): number {
  const initial = spec?.delayMs ?? defaults.initialBackoffMs;
  const isFixed = spec?.kind === 'fixed';
  // The default cap is there for growth; a fixed delay of a minute means a minute.
  const max = spec?.maxDelayMs ?? (isFixed ? Infinity : defaults.maxBackoffMs);
  const multiplier = isFixed ? 1 : (spec?.multiplier ?? defaults.multiplier);
  const grown = initial * multiplier ** (attempt - 1);
  // 0 * Infinity, or a multiplier that a stranger wrote: what is no number would not be a due time.
  const base = Math.max(0, Number.isNaN(grown) ? Math.min(initial, max) : Math.min(grown, max));
  const { jitterMs, jitterShare } = defaults;
  const unasked = jitterShare === undefined ? jitterMs : Math.min(jitterMs, base * jitterShare);
  const jitter = spec?.jitterMs ?? unasked;
  return Math.max(0, Math.round(base + (random() * 2 - 1) * jitter));
}

/** The wire form of what a user gave as `backoff`. */
export function toWireBackoff(backoff: number | BackoffOptions, defaultDelayMs: number): WireBackoff {
  if (typeof backoff === 'number') return { kind: 'fixed', delayMs: backoff };
  return {
    kind: backoff.type,
    delayMs: backoff.delay ?? defaultDelayMs,
    maxDelayMs: backoff.maxDelay,
    multiplier: backoff.multiplier,
    jitterMs: backoff.jitterMs,
  };
}

/** Builders for the `backoff` option of a job. */
export const BackoffSpec = {
  /** The same delay before each retry. */
  fixed(delayMs: number, options: { jitterMs?: number } = {}): BackoffOptions {
    return { type: 'fixed', delay: delayMs, ...given('jitterMs', options.jitterMs) };
  },
  /** `delayMs * multiplier^(attempt - 1)`; multiplier 2 unless given. */
  exponential(
    delayMs: number,
    options: { maxDelayMs?: number; multiplier?: number; jitterMs?: number } = {},
  ): BackoffOptions {
    return {
      type: 'exponential',
      delay: delayMs,
      multiplier: options.multiplier ?? 2,
      ...given('maxDelay', options.maxDelayMs),
      ...given('jitterMs', options.jitterMs),
    };
  },
};

function given<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>);
}
