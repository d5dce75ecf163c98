import { describe, expect, test } from 'vitest';
import {
  BackoffSpec,
  RETRY_DEFAULTS,
  backoffMs,
  toRetrySettings,
  toWireBackoff,
} from '../../lib/engine/job/backoff.js';
import type { WireBackoff } from '../../lib/engine/codec/envelope.js';

/** The middle of the range: no jitter either way. */
const middle = (): number => 0.5;
const lowest = (): number => 0;
const highest = (): number => 1 - Number.EPSILON;

const unconfigured = toRetrySettings();
const still = { ...RETRY_DEFAULTS, jitterMs: 0 };

describe('backoffMs', () => {
  test.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [9, 25_600],
    [10, 30_000],
    [2_000, 30_000],
  ])('the default curve after attempt %i is %i ms', (attempt, expected) => {
    expect(backoffMs(attempt, undefined, RETRY_DEFAULTS, middle)).toBe(expected);
  });

  test.each<[string, WireBackoff, number[]]>([
    ['fixed does not grow', { kind: 'fixed', delayMs: 700, multiplier: 5 }, [700, 700, 700]],
    ['fixed is not capped by default', { kind: 'fixed', delayMs: 60_000 }, [60_000, 60_000, 60_000]],
    ['fixed is capped where it says so', { kind: 'fixed', delayMs: 60_000, maxDelayMs: 50 }, [50, 50, 50]],
    ['exponential takes the default multiplier', { kind: 'exponential', delayMs: 10 }, [10, 20, 40]],
    ['exponential with its own', { kind: 'exponential', delayMs: 10, multiplier: 1.5 }, [10, 15, 23]],
    ['exponential with its own cap', { kind: 'exponential', delayMs: 10, maxDelayMs: 15 }, [10, 15, 15]],
    ['an unknown kind is exponential', { kind: 'fibonacci', delayMs: 10 }, [10, 20, 40]],
    ['at most 30 days', { kind: 'fixed', delayMs: 9e9 }, [2_592e6, 2_592e6, 2_592e6]],
    ['no delay', { kind: 'exponential', delayMs: 0 }, [0, 0, 0]],
    ['a multiplier below 1 shrinks', { kind: 'exponential', delayMs: 100, multiplier: 0.5 }, [100, 50, 25]],
    ['a multiplier of 0', { kind: 'exponential', delayMs: 100, multiplier: 0 }, [100, 0, 0]],
  ])('%s', (_, spec, expected) => {
    expect([1, 2, 3].map((attempt) => backoffMs(attempt, spec, still, middle))).toEqual(expected);
  });

  test('jitter is symmetric, added after the cap, and in whole ms', () => {
    const spec: WireBackoff = { kind: 'exponential', delayMs: 1000, maxDelayMs: 1000, jitterMs: 100 };
    expect(backoffMs(5, spec, RETRY_DEFAULTS, lowest)).toBe(900);
    expect(backoffMs(5, spec, RETRY_DEFAULTS, middle)).toBe(1000);
    expect(backoffMs(5, spec, RETRY_DEFAULTS, highest)).toBe(1100);
    expect(backoffMs(5, spec, RETRY_DEFAULTS, () => 0.123)).toBe(925);
  });

  test('jitter never makes it negative', () => {
    expect(backoffMs(1, { kind: 'fixed', delayMs: 10, jitterMs: 500 }, RETRY_DEFAULTS, lowest)).toBe(0);
  });

  test('a thousand draws stay within the jitter and reach near both ends', () => {
    const draws = Array.from({ length: 1000 }, () => backoffMs(1, undefined, RETRY_DEFAULTS, Math.random));
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThanOrEqual(200);
    expect(Math.max(...draws) - Math.min(...draws)).toBeGreaterThan(100);
  });

  describe('jitter that nobody has configured', () => {
    test.each<[string, WireBackoff | undefined, number, number, number]>([
      ['is a quarter of a short fixed delay', { kind: 'fixed', delayMs: 30 }, 1, 23, 38],
      ['is nothing where there is no delay', { kind: 'fixed', delayMs: 0 }, 1, 0, 0],
      ['is less than a ms of one of 1 ms', { kind: 'fixed', delayMs: 1 }, 1, 1, 1],
      ['is 100 ms of a long one', { kind: 'fixed', delayMs: 60_000 }, 1, 59_900, 60_100],
      ['grows with an exponential delay', { kind: 'exponential', delayMs: 100 }, 2, 150, 250],
      ['follows the cap', { kind: 'exponential', delayMs: 100, maxDelayMs: 40 }, 5, 30, 50],
      ['of the first default retry', undefined, 1, 75, 125],
      ['of the third default retry', undefined, 3, 300, 500],
    ])('%s', (_, spec, attempt, least, most) => {
      expect(backoffMs(attempt, spec, unconfigured, lowest)).toBe(least);
      expect(backoffMs(attempt, spec, unconfigured, highest)).toBe(most);
    });

    test('jitter that the worker or the job has configured applies in full', () => {
      const spec: WireBackoff = { kind: 'fixed', delayMs: 30 };
      expect(backoffMs(1, spec, toRetrySettings({ jitterMs: 30 }), highest)).toBe(60);
      expect(backoffMs(1, { ...spec, jitterMs: 20 }, unconfigured, highest)).toBe(50);
      expect(backoffMs(1, { ...spec, jitterMs: 0 }, unconfigured, highest)).toBe(30);
    });
  });

  // What Redis would be given as a due time must be a number, whatever stands in an entry.
  test.each<[string, WireBackoff, number]>([
    ['0 * Infinity', { kind: 'exponential', delayMs: 0, multiplier: 2 }, 5_000],
    ['a multiplier that is no number', { kind: 'exponential', delayMs: 10, multiplier: NaN }, 2],
    ['an infinite multiplier of nothing', { kind: 'exponential', delayMs: 0, multiplier: Infinity }, 2],
    ['an infinite multiplier', { kind: 'exponential', delayMs: 1, multiplier: Infinity }, 2],
    ['a negative multiplier', { kind: 'exponential', delayMs: 10, multiplier: -3 }, 2],
    ['an infinite power below 0', { kind: 'exponential', delayMs: 10, multiplier: -Infinity }, 2],
  ])('is finite and not negative: %s', (_, spec, attempt) => {
    const ms = backoffMs(attempt, spec, RETRY_DEFAULTS, middle);
    expect(Number.isFinite(ms), String(ms)).toBe(true);
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(ms).toBeLessThanOrEqual(RETRY_DEFAULTS.maxBackoffMs);
  });
});

describe('toRetrySettings', () => {
  test('options given as undefined are not given', () => {
    const given = {
      initialBackoffMs: undefined,
      maxBackoffMs: undefined,
      multiplier: undefined,
      jitterMs: undefined,
    };
    expect(toRetrySettings(given as object)).toEqual(toRetrySettings({}));
    expect(backoffMs(1, undefined, toRetrySettings(given as object), middle)).toBe(100);
  });
});

describe('toWireBackoff', () => {
  test('a number is a fixed delay', () => {
    expect(toWireBackoff(250, 100)).toEqual({ kind: 'fixed', delayMs: 250 });
  });

  test('an object keeps what it says, and leaves the rest to the worker', () => {
    expect(toWireBackoff({ type: 'exponential' }, 100)).toEqual({
      kind: 'exponential',
      delayMs: 100,
      maxDelayMs: undefined,
      multiplier: undefined,
      jitterMs: undefined,
    });
    expect(toWireBackoff({ type: 'mine', delay: 0, maxDelay: 5, multiplier: 1.5, jitterMs: 0 }, 100)).toEqual(
      { kind: 'mine', delayMs: 0, maxDelayMs: 5, multiplier: 1.5, jitterMs: 0 },
    );
  });
});

describe('BackoffSpec', () => {
  test('builds options', () => {
    expect(BackoffSpec.fixed(50)).toEqual({ type: 'fixed', delay: 50 });
    expect(BackoffSpec.fixed(50, { jitterMs: 0 })).toEqual({ type: 'fixed', delay: 50, jitterMs: 0 });
    expect(BackoffSpec.exponential(1_000)).toEqual({ type: 'exponential', delay: 1_000, multiplier: 2 });
    expect(BackoffSpec.exponential(1_000, { maxDelayMs: 30_000, multiplier: 3, jitterMs: 5 })).toEqual({
      type: 'exponential',
      delay: 1_000,
      multiplier: 3,
      maxDelay: 30_000,
      jitterMs: 5,
    });
  });
});
