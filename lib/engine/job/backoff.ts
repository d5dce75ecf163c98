import type { WireBackoff } from '../codec/envelope.js';
import type { BackoffOptions, RetryConfig } from '../config/options.js';
import { MOST_DELAY_MS } from '../config/checks.js';

export const RETRY_DEFAULTS: Required<RetryConfig> = {
  initialBackoffMs: 100,
  maxBackoffMs: 30_000,
  multiplier: 2,
  jitterMs: 100,
};

export interface RetrySettings extends Required<RetryConfig> {
  /** Bound of the jitter, as a share of the delay. Set only if `jitterMs` was not configured. */
  jitterShare?: number;
}

/** With this share, a fixed delay of 30 ms never becomes 0. */
const JITTER_SHARE = 0.25;

/** The `retry` option of a worker, over the defaults. An option with the value undefined counts as not given. */
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
 * The time to wait after `attempt` (from 1) has failed, in whole ms: `min(initial * multiplier^(attempt-1), max)`, then
 * symmetric jitter, never below 0. `fixed` does not grow. An unknown kind counts as exponential. The result is at most 30 days.
 * @param random returns a number in [0, 1), like Math.random
 */
export function backoffMs(
  attempt: number,
  spec: WireBackoff | undefined,
  defaults: RetrySettings,
  random: () => number,
): number {
  const initial = spec?.delayMs ?? defaults.initialBackoffMs;
  const isFixed = spec?.kind === 'fixed';
  // The default maximum bounds growth. A fixed delay of a minute stays a minute.
  const max = spec?.maxDelayMs ?? (isFixed ? Infinity : defaults.maxBackoffMs);
  const multiplier = isFixed ? 1 : (spec?.multiplier ?? defaults.multiplier);
  const grown = initial * multiplier ** (attempt - 1);
  // 0 * Infinity, or a multiplier of a third-party producer, may give NaN, which cannot be a due time.
  const base = Math.max(0, Number.isNaN(grown) ? Math.min(initial, max) : Math.min(grown, max));
  const { jitterMs, jitterShare } = defaults;
  const unconfigured = jitterShare === undefined ? jitterMs : Math.min(jitterMs, base * jitterShare);
  const jitter = spec?.jitterMs ?? unconfigured;
  return Math.min(MOST_DELAY_MS, Math.max(0, Math.round(base + (random() * 2 - 1) * jitter)));
}

/** The wire form of a `backoff` option. */
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
    return { type: 'fixed', delay: delayMs, ...optional('jitterMs', options.jitterMs) };
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
      ...optional('maxDelay', options.maxDelayMs),
      ...optional('jitterMs', options.jitterMs),
    };
  },
};

function optional<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>);
}
