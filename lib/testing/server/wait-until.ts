import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 15;

/**
 * Calls `check` every 15 ms until it resolves with `undefined`. Any other value says what is still missing. If `check`
 * rejects, the wait continues.
 *
 * @throws Error with `what`, the time and the last value after `timeoutMs`
 */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  check: () => Promise<string | undefined>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let missing: string | undefined;
    try {
      missing = await check();
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
    if (missing === undefined) return;
    if (performance.now() > deadline) throw new Error(`${what} not ready after ${timeoutMs} ms: ${missing}`);
    await delay(POLL_MS);
  }
}
