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
  /** Jobs that have started in the window of its rate limit; 0 without one. */
  starts: number;
  /** In how many ms the oldest of them leave the window, and in how many ms all have left. */
  freesMs: number;
  endsMs: number;
  /** In how many ms its jobs may start again; 0: nobody has forbidden it. */
  limitedMs: number;
}

/** What a group has, and what it waits for. */
export async function readGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<GroupReply> {
  const reply = await runner.run('read-group', keys, [group]);
  const [jobs, active, status, ...texts] = reply as [number, number, string, ...string[]];
  const [concurrency, max, duration, starts = 0, freesMs = 0, endsMs = 0, limitedMs = 0] = texts.map(
    (text) => (text === '' ? undefined : Number(text)),
  );
  const own = { concurrency, max, duration };
  return { jobs, active, status: toGroupStatus(status), own, starts, freesMs, endsMs, limitedMs };
}
