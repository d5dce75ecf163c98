import type { RedisOptions } from 'ioredis';
import { LONGEST_MS } from '../../redis/timer.js';

type Strategy = ((times: number, reason?: Error) => unknown) | null | undefined;

/** For how long calls that a demoted master refuses are sent again before their callers hear of it. */
const DEMOTED_MS = 2_000;
/** Refusals further apart than this have nothing to do with each other. */
const APART_MS = 5_000;

/** Fast at first, then once a second, for ever: what waits has a deadline of its own. */
const reconnectDelay = (times: number): number => Math.min(25 * 2 ** Math.min(times, 6), 1000);

/**
 * A strategy of the user's own, which may throw (in the middle of a socket's event, where that would end the process),
 * or return what is no delay. Anything but a number gives up.
 */
export function safeDelay(given: Strategy): (times: number, reason?: Error) => number | undefined {
  if (given === undefined) return reconnectDelay;
  return (times, reason) => {
    try {
      const ms = given?.(times, reason);
      return typeof ms === 'number' && !Number.isNaN(ms) ? Math.min(Math.max(0, ms), LONGEST_MS) : undefined;
    } catch {
      return reconnectDelay(times);
    }
  };
}

/** When to connect anew, and after which errors. */
export function reconnecting(given: Pick<RedisOptions, 'retryStrategy' | 'reconnectOnError'>): RedisOptions {
  const delay = safeDelay(given.retryStrategy);
  let since = -Infinity;
  let lastAt = -Infinity;

  /** A demoted master answers READONLY and did nothing: connect anew, and send the command again. */
  const onReadOnly = (): true | 2 => {
    const now = performance.now();
    if (now - lastAt > APART_MS) since = now;
    lastAt = now;
    return now - since > DEMOTED_MS ? true : 2;
  };

  return {
    retryStrategy: (times) => {
      const ms = delay(times);
      const isDemoted = performance.now() - lastAt < 500;
      // ioredis counts anew after each connection, also where the next one is refused again.
      return ms === undefined || !isDemoted ? ms : Math.max(ms, Math.min(1_000, lastAt - since));
    },
    reconnectOnError: (error) => {
      if (error.message.startsWith('READONLY')) return onReadOnly();
      // These are answers that are dealt with.
      if (/^(NOSCRIPT|BUSYGROUP|NOGROUP|UNBLOCKED)/.test(error.message)) return false;
      try {
        return given.reconnectOnError?.(error) ?? false;
      } catch {
        return false;
      }
    },
  };
}
