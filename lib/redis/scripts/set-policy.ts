import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** The limits of a queue. Undefined removes a limit; one that is not named stays. */
export interface Limits {
  /** How many jobs of the queue may be in flight, over all workers. */
  concurrency?: number | undefined;
}

/** Changes limits of a queue, for all its workers. */
export async function setPolicy(runner: ScriptRunner, keys: QueueKeys, limits: Limits): Promise<void> {
  const args = Object.entries(limits).flatMap(([field, value]) => [field, String(value ?? '')]);
  await runner.run('set-policy', keys, args);
}
