import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { toGroupStatus } from './list-groups.js';
import type { GroupStatus } from './list-groups.js';

/** What a group has, and what it waits for. */
export interface GroupReply {
  /** Jobs that wait. */
  jobs: number;
  /** Jobs in flight. */
  active: number;
  status: GroupStatus;
  /** Its own limits; undefined: it has the defaults. */
  own: { concurrency: number | undefined; max: number | undefined; duration: number | undefined };
}

/** What a group has, and what it waits for. */
export async function readGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<GroupReply> {
  const reply = await runner.run('read-group', keys, [group]);
  const [jobs, active, status, ...texts] = reply as [number, number, string, ...string[]];
  const [concurrency, max, duration] = texts.map((text) => (text === '' ? undefined : Number(text)));
  return { jobs, active, status: toGroupStatus(status), own: { concurrency, max, duration } };
}
