import type { QueueKeys } from '../keys.js';
import type { ListedSchedule } from './list-schedules.js';
import type { ScriptRunner } from '../script-runner.js';

/** Reads one schedule; undefined if there is no such schedule. */
export async function readSchedule(
  runner: ScriptRunner,
  keys: QueueKeys,
  key: string,
  fields: readonly string[],
): Promise<ListedSchedule | undefined> {
  const reply = await runner.run('read-schedule', keys, [key, ...fields], { buffers: true });
  const [slot, ...values] = reply as [slot?: Buffer, ...values: (Buffer | null)[]];
  return slot && { key, slot: Number(slot), values };
}
