import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { Monitor } from '../watch/monitor.js';

export interface WatchOptions {
  readonly interval: number;
  readonly count?: number;
}

/** Below this, reading costs Redis more than it tells. */
const SHORTEST_MS = 100;
const LONGEST_MS = 3_600_000;

export async function watch(
  context: Context,
  [queues]: readonly [readonly string[]],
  { interval, count = Infinity }: WatchOptions,
): Promise<number | undefined> {
  if (interval < SHORTEST_MS || interval > LONGEST_MS)
    throw usageError('--interval must be from 100ms to 1h.');
  const { out } = context;
  const monitor = await Monitor.open(context, {
    names: queues.length > 0 ? [...new Set(queues)] : undefined,
    intervalMs: interval,
  });
  const isLive = out.isTerminal && process.stdin.isTTY && process.env['TERM'] !== 'dumb' && !out.json;
  if (isLive) {
    const { watchLive } = await import('../watch/live.js');
    return watchLive(context, monitor, count);
  }
  const { watchPlain } = await import('../watch/plain.js');
  return watchPlain(context, monitor, count);
}
