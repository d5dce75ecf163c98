import { expect } from 'vitest';
import type { Service } from '../../lib/engine/base/service.js';

/** How a stressed service is told to stop, and how long that may take beyond it. */
const DEADLINE_MS = 200;
const SLACK_MS = 1_500;

/**
 * The contract of everything that runs, as a test any service can be put through: concurrent callers share one start and
 * one stop, whatever the order they come in, every promise settles, and a service that was stopped stays so.
 *
 * @param create a new service, not started
 */
export async function stressService(create: () => Service, rounds = 20): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const service = create();
    const order = shuffled(['start', 'start', 'stop', 'stop', 'start', 'stop'] as const, round);
    const calls: { kind: 'start' | 'stop'; promise: Promise<void> }[] = [];
    for (const kind of order) {
      const promise = kind === 'start' ? service.start() : service.stop(DEADLINE_MS);
      // A start that a stop overtakes may fail, but must settle.
      promise.catch(() => undefined);
      calls.push({ kind, promise });
      if (round % 3 === 1) await Promise.resolve();
      if (round % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const kind of ['start', 'stop'] as const) {
      const distinct = new Set(calls.filter((call) => call.kind === kind).map(({ promise }) => promise));
      expect(distinct.size, `round ${round}: ${kind} was shared`).toBe(1);
    }
    const begun = performance.now();
    await Promise.all(
      calls.map(({ kind, promise }) => (kind === 'stop' ? promise : promise.catch(() => undefined))),
    );
    expect(performance.now() - begun, `round ${round}: settles in time`).toBeLessThan(DEADLINE_MS + SLACK_MS);
    expect(service.isStopping).toBe(true);
    await service.stop(DEADLINE_MS);
  }
}

/** The same order for the same seed. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed + 1;
  for (let i = result.length - 1; i > 0; i--) {
    state = (state * 48_271) % 2_147_483_647;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
