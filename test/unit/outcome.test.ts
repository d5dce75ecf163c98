import { describe, expect, test } from 'vitest';
import { detailOf } from '../../lib/engine/base/thrown.js';
import {
  outcomeOfExhaustion,
  outcomeOfExpiry,
  outcomeOfFailure,
} from '../../lib/engine/worker/run/outcome.js';
import { JobCancelledError, UnrecoverableError } from '../../lib/engine/base/errors.js';

class PaymentRefused extends UnrecoverableError {}
class ForeignUnrecoverable extends Error {
  override name = 'UnrecoverableError';
}
// What another copy of a package would bring: the same name, another class.
const Foreign = { UnrecoverableError: class UnrecoverableError extends Error {} };
class OfForeign extends Foreign.UnrecoverableError {}

const plain = new Error('SMTP is down');

describe('outcomeOfFailure', () => {
  test.each<[attempt: number, maxAttempts: number, error: unknown, expected: object]>([
    [1, 3, plain, { kind: 'retry', backoffMs: 77 }],
    [2, 3, plain, { kind: 'retry', backoffMs: 77 }],
    [3, 3, plain, { kind: 'dead-letter', reason: 'retries_exhausted', detail: 'SMTP is down' }],
    [4, 3, plain, { kind: 'dead-letter', reason: 'retries_exhausted', detail: 'SMTP is down' }],
    [1, 1, plain, { kind: 'dead-letter', reason: 'retries_exhausted' }],
    [
      1,
      3,
      new UnrecoverableError('blocked'),
      { kind: 'dead-letter', reason: 'unrecoverable', detail: 'blocked' },
    ],
    [
      3,
      3,
      new UnrecoverableError(),
      { kind: 'dead-letter', reason: 'unrecoverable', detail: 'Unrecoverable' },
    ],
    [1, 3, new PaymentRefused('no'), { kind: 'dead-letter', reason: 'unrecoverable' }],
    [1, 3, new ForeignUnrecoverable('no'), { kind: 'dead-letter', reason: 'unrecoverable' }],
    [1, 3, new OfForeign('no'), { kind: 'dead-letter', reason: 'unrecoverable' }],
    [
      1,
      3,
      { name: 'UnrecoverableError', message: 'no error object' },
      { kind: 'dead-letter', reason: 'unrecoverable' },
    ],
    [1, 3, 'a string', { kind: 'retry' }],
    [1, 3, undefined, { kind: 'retry' }],
    [1, 3, null, { kind: 'retry' }],
    [1, 3, Object.create(null), { kind: 'retry' }],
  ])('attempt %i of %i, %o', (attempt, maxAttempts, error, expected) => {
    expect(outcomeOfFailure({ error, attempt, maxAttempts, backoffMs: () => 77 })).toMatchObject(expected);
  });

  test.each([plain, new UnrecoverableError('no'), undefined])('of a job that was discarded: %o', (error) => {
    const run = { error, attempt: 1, maxAttempts: 3, isFinal: true, backoffMs: () => 77 };
    expect(outcomeOfFailure(run)).toMatchObject({ kind: 'dead-letter', reason: 'unrecoverable' });
  });

  test.each<[attempt: number, error: unknown]>([
    [1, plain],
    [3, plain],
    [1, new UnrecoverableError()],
    [1, undefined],
  ])('of a cancelled job in attempt %i, whatever it is: %o', (attempt, error) => {
    const cancelled = new JobCancelledError('Job 1 was cancelled.');
    const outcome = outcomeOfFailure({ error, attempt, maxAttempts: 3, cancelled, backoffMs: () => 77 });
    expect(outcome).toEqual({ kind: 'cancelled', error: cancelled });
    expect(cancelled.cause).toBe(error);
  });

  test('of a cancelled job that failed with the reason of its signal has no other cause', () => {
    const cancelled = new JobCancelledError('Job 1 was cancelled.');
    outcomeOfFailure({ error: cancelled, attempt: 1, maxAttempts: 3, cancelled, backoffMs: () => 77 });
    expect(cancelled.cause).toBeUndefined();
  });

  test('asks for the backoff only where there is a next attempt', () => {
    const backoffMs = (): number => {
      throw new Error('asked');
    };
    const last = { error: plain, attempt: 3, maxAttempts: 3, backoffMs };
    expect(() => outcomeOfFailure(last)).not.toThrow();
    expect(() => outcomeOfFailure({ ...last, error: new UnrecoverableError(), attempt: 1 })).not.toThrow();
  });

  test('a backoff of -1 is a dead letter at once', () => {
    const outcome = outcomeOfFailure({ error: plain, attempt: 1, maxAttempts: 3, backoffMs: () => -1 });
    expect(outcome).toMatchObject({
      kind: 'dead-letter',
      reason: 'unrecoverable',
      detail: 'SMTP is down',
      error: plain,
    });
  });

  test('a dead letter keeps the stack, a retry does not read it', () => {
    const run = { error: plain, maxAttempts: 2, backoffMs: () => 0 };
    expect(outcomeOfFailure({ ...run, attempt: 2 })).toMatchObject({ stack: plain.stack });
    expect(outcomeOfFailure({ ...run, attempt: 1 })).not.toHaveProperty('stack');
  });

  test('keeps the error itself for the listeners', () => {
    expect(outcomeOfFailure({ error: plain, attempt: 1, maxAttempts: 1, backoffMs: () => 0 }).error).toBe(
      plain,
    );
  });
});

describe('outcomeOfExhaustion', () => {
  test.each([
    // Redis counts the first delivery, whether or not the job started. Later, it counts starts.
    [
      1,
      2,
      3,
      /^The worker died 1 time while it had this job .*cannot tell whether .* only fetched\. 3 of 3 attempts/,
    ],
    [2, 1, 3, /^The worker died 2 times while it had this job .*, at least once while running it\. 3 of 3 /],
    [3, 0, 3, /^The worker died 3 times .*, at least 2 times while running it\. 3 of 3 attempts/],
    [0, 3, 2, /^3 attempts are used; 2 are allowed/],
  ])('%i crashes, %i used, %i allowed', (crashes, used, maxAttempts, detail) => {
    const outcome = outcomeOfExhaustion(crashes, used, maxAttempts);
    expect(outcome).toMatchObject({
      kind: 'dead-letter',
      reason: 'retries_exhausted',
      detail: expect.stringMatching(detail) as string,
    });
  });
});

describe('detailOf', () => {
  test.each<[unknown, string]>([
    [new Error('x'), 'x'],
    [new TypeError(''), 'TypeError'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [42, '42'],
    [{ toString: () => 'mine' }, 'mine'],
    [Object.create(null), 'an error that cannot be printed'],
  ])('%# %o', (error, text) => {
    expect(detailOf(error)).toBe(text);
  });

  test('is of bounded length', () => {
    expect(detailOf(new Error('x'.repeat(1_000_000))).length).toBe(2_001);
  });
});

describe('outcomeOfExpiry', () => {
  const limits = { timeoutMs: Infinity, ttlMs: 50 };
  const detail = 'It did not start within its ttlMs of 50 ms: it has been ready to run for 71 ms.';

  test('is a dead letter', () => {
    expect(outcomeOfExpiry(70.6, { ...limits, expired: 'dead-letter' })).toMatchObject({
      kind: 'dead-letter',
      reason: 'expired',
      detail,
    });
  });

  test('drops the job on request', () => {
    const outcome = outcomeOfExpiry(70.6, { ...limits, expired: 'drop' });
    expect(outcome).toMatchObject({ kind: 'dropped', detail, error: { message: detail } });
  });
});
