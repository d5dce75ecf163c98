import type { RedisOptions } from 'ioredis';
import { LONGEST_MS } from '../../redis/timer.js';

type Strategy = ((times: number, reason?: Error) => unknown) | null | undefined;

/** How long calls that a demoted master refuses are sent again before they fail. */
const DEMOTED_MS = 2_000;
/** Refusals further apart than this belong to different failovers. */
const APART_MS = 5_000;

/** Fast at first, then once a second, without end: waiting calls have deadlines of their own. */
export const reconnectDelay = (times: number): number => Math.min(25 * 2 ** Math.min(times, 6), 1000);

/**
 * Wraps a strategy of the user's own. It may throw in an event of a socket, which would end the process, and it may return
 * anything: only a number is a delay, all else means to give up.
 */
export function safeDelay(strategy: Strategy): (times: number, reason?: Error) => number | undefined {
  if (strategy === undefined) return reconnectDelay;
  return (times, reason) => {
    try {
      const ms = strategy?.(times, reason);
      return typeof ms === 'number' && !Number.isNaN(ms) ? Math.min(Math.max(0, ms), LONGEST_MS) : undefined;
    } catch {
      return reconnectDelay(times);
    }
  };
}

/** The options of ioredis that decide when to reconnect, and after which errors. */
export function reconnectOptions(
  options: Pick<RedisOptions, 'retryStrategy' | 'reconnectOnError'>,
): RedisOptions {
  const delay = safeDelay(options.retryStrategy);
  let since = -Infinity;
  let lastAt = -Infinity;

  /** A demoted master answers READONLY and executes nothing, so reconnect and send the command again. */
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
      // ioredis resets its count after each connection, even if the next one is refused again.
      return ms === undefined || !isDemoted ? ms : Math.max(ms, Math.min(1_000, lastAt - since));
    },
    reconnectOnError: (error) => {
      if (error.message.startsWith('READONLY')) return onReadOnly();
      // The callers handle these replies.
      if (/^(NOSCRIPT|BUSYGROUP|NOGROUP|UNBLOCKED)/.test(error.message)) return false;
      try {
        return options.reconnectOnError?.(error) ?? false;
      } catch {
        return false;
      }
    },
  };
}
