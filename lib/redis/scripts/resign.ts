import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ResignOptions {
  role: 'promoter' | 'scheduler';
  holder: string;
}

/** Gives up the lead of the promoters or the schedulers. False if the holder did not lead. */
export async function resign(
  runner: ScriptRunner,
  keys: QueueKeys,
  { role, holder }: ResignOptions,
): Promise<boolean> {
  const of =
    role === 'promoter'
      ? { lock: keys.promoterLock, wake: keys.promoterWake }
      : { lock: keys.schedulerLock, wake: keys.schedulerWake };
  return (await runner.run('resign', keys, [holder], of)) === 1;
}
