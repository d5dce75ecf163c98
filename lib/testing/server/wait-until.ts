import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 15;

/**
 * Asks `check` every 15 ms until it answers `undefined`; any other answer says what is still missing. A check that
 * rejects counts as not there yet.
 *
 * @throws Error with `what`, the time and the last answer when `timeoutMs` have passed
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
