import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/**
 * Lets no job start for so many ms, in no worker; undefined: lets them start again, and forgets the starts in the window. Resolves
 * with whether this changed something.
 */
export async function setRateLimited(
  runner: ScriptRunner,
  keys: QueueKeys,
  { ms }: { ms: number | undefined },
): Promise<boolean> {
  return (await runner.run('set-rate-limited', keys, [ms ?? ''])) === 1;
}
