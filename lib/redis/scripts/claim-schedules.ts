import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** A deployment of an owner of schedules. */
export interface ScheduleClaim {
  owner: string;
  /** Grows with each deployment of the owner. */
  generation: number;
}

/** False if a newer deployment of the owner has asked. From now on, older ones get false. */
export async function claimSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  { owner, generation }: ScheduleClaim,
): Promise<boolean> {
  const [claimed] = (await runner.run('claim-schedules', keys, [owner, generation])) as [number];
  return claimed === 1;
}
