import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** What Redis's clock shows, in unix ms, on the node that has the keys of the queue. */
export async function readClock(runner: ScriptRunner, keys: QueueKeys): Promise<number> {
  return Number(await runner.run('read-clock', keys, []));
}
