import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** The limits of a queue, and how far they are used. */
export interface LimitsReply {
  concurrency: number | undefined;
  max: number | undefined;
  duration: number | undefined;
  /** For how many ms no job starts, whatever the window says; undefined: they may. */
  limitedMs: number | undefined;
  /** Jobs in flight. */
  pending: number;
  /** Jobs that have started in the window. */
  starts: number;
  /** In how many ms the oldest of them leave the window, and in how many ms all have left. */
  freesMs: number;
  endsMs: number;
  /** The defaults of groups. */
  groups: {
    concurrency: number | undefined;
    max: number | undefined;
    duration: number | undefined;
    isStrict: boolean;
  };
}

/** The limits of a queue, and how far they are used, as one consumer group sees them. */
export async function readLimits(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<LimitsReply> {
  const reply = (await runner.run('read-limits', keys, [group])) as string[];
  const [concurrency, max, duration, limitedMs, ...rest] = reply.map((text) =>
    text === '' ? undefined : Number(text),
  );
  const [pending = 0, starts = 0, freesMs = 0, endsMs = 0, ...ofGroups] = rest;
  const groups = {
    concurrency: ofGroups[0],
    max: ofGroups[1],
    duration: ofGroups[2],
    isStrict: ofGroups[3] === 1,
  };
  return { concurrency, max, duration, limitedMs, pending, starts, freesMs, endsMs, groups };
}
