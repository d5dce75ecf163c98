import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { settlesWithin, withDeadline } from '../../lib/redis/deadline.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), 'timers left').toBe(0);
  vi.useRealTimers();
});

const late = (): Error => new Error('late');
const never = new Promise<never>(() => undefined);

describe('withDeadline', () => {
  test('returns the value', async () => {
    await expect(withDeadline(Promise.resolve(5), 100, late)).resolves.toBe(5);
  });

  test('returns the rejection', async () => {
    await expect(withDeadline(Promise.reject(new Error('own')), 100, late)).rejects.toThrow('own');
  });

  test('rejects at the deadline, not before', async () => {
    const outcome = vi.fn();
    withDeadline(never, 100, late).catch(outcome);
    await vi.advanceTimersByTimeAsync(99);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome).toHaveBeenCalledWith(new Error('late'));
  });

  test('0 means no deadline', async () => {
    const outcome = withDeadline(Promise.resolve(1), 0, late);
    expect(vi.getTimerCount()).toBe(0);
    await expect(outcome).resolves.toBe(1);
  });

  test('the caller can translate a rejection', async () => {
    const failing = Promise.reject(new Error('no'));
    const translated = withDeadline(
      failing,
      1_000,
      late,
      (reason) => new Error(`translated ${String(reason)}`),
    );
    await expect(translated).rejects.toThrow('translated Error: no');
  });

  test('a rejection after the deadline is not an unhandled rejection', async () => {
    let reject: (error: Error) => void = () => undefined;
    const slow = new Promise<never>((_, fail) => {
      reject = fail;
    });
    const bounded = expect(withDeadline(slow, 10, late)).rejects.toThrow('late');
    await vi.advanceTimersByTimeAsync(10);
    await bounded;
    reject(new Error('much later'));
    await vi.advanceTimersByTimeAsync(1);
  });
});

describe('settlesWithin', () => {
  test('true for a value and for a rejection', async () => {
    await expect(settlesWithin(Promise.resolve(), 10)).resolves.toBe(true);
    await expect(settlesWithin(Promise.reject(new Error('x')), 10)).resolves.toBe(true);
  });

  test('false at the deadline', async () => {
    const settled = settlesWithin(never, 10);
    await vi.advanceTimersByTimeAsync(10);
    await expect(settled).resolves.toBe(false);
  });
});
