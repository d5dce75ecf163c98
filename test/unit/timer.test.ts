import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { boundTimes, LONGEST_MS, Timer } from '../../lib/redis/timer.js';

describe('Timer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([1, 10, LONGEST_MS, LONGEST_MS + 1, 2 * LONGEST_MS + 5, 7 * LONGEST_MS])(
    'calls back after %s ms, and not before',
    (ms) => {
      const callback = vi.fn();
      new Timer(ms, callback);
      vi.advanceTimersByTime(ms - 1);
      expect(callback).toHaveBeenCalledTimes(0);
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(2 * LONGEST_MS);
      expect(callback).toHaveBeenCalledTimes(1);
    },
  );

  it('never calls back after Infinity', () => {
    const callback = vi.fn();
    new Timer(Infinity, callback);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10 * LONGEST_MS);
    expect(callback).not.toHaveBeenCalled();
  });

  it('can be cleared in its second part', () => {
    const callback = vi.fn();
    const timer = new Timer(2 * LONGEST_MS, callback);
    vi.advanceTimersByTime(LONGEST_MS + 5);
    timer.clear();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2 * LONGEST_MS);
    expect(callback).not.toHaveBeenCalled();
  });
});

describe('options of ioredis', () => {
  it('have no time above the limit of setTimeout', () => {
    const bounded = boundTimes({
      connectTimeout: Infinity,
      commandTimeout: 2 ** 40,
      socketTimeout: 5_000,
      slotsRefreshInterval: 2 ** 31,
      maxRetriesPerRequest: Infinity,
      port: 6379,
      password: '9999999999',
      sentinelRetryStrategy: (times: number) => (times > 3 ? null : 2 ** 33 * times),
      redisOptions: { connectTimeout: 2 ** 31 },
    });
    expect(bounded).toMatchObject({
      connectTimeout: LONGEST_MS,
      commandTimeout: LONGEST_MS,
      socketTimeout: 5_000,
      slotsRefreshInterval: LONGEST_MS,
      maxRetriesPerRequest: Infinity,
      port: 6379,
      password: '9999999999',
      redisOptions: { connectTimeout: LONGEST_MS },
    });
    expect([bounded.sentinelRetryStrategy(1), bounded.sentinelRetryStrategy(4)]).toEqual([LONGEST_MS, null]);
  });
});
