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
}

/** What a group has, and what it waits for. */
export async function readGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<GroupReply> {
  const [jobs, active, status] = (await runner.run('read-group', keys, [group])) as [number, number, string];
  return { jobs, active, status: toGroupStatus(status) };
}
