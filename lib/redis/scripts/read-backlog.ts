import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ReadBacklogReply {
  waiting: number;
  /** For how long the oldest waiting job could have run, in ms; 0 if none waits. */
  oldestWaitingMs: number;
  /** In flight with a worker. */
  active: number;
  delayed: number;
  /** How many of the delayed jobs are due. */
  due: number;
  /** By how many ms the earliest of them is late; 0 if none is due. */
  overdueMs: number;
  deadLetters: number;
}

/** Counts the jobs of a queue at one instant, as one consumer group sees them. */
export async function readBacklog(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<ReadBacklogReply> {
  const reply = (await runner.run('read-backlog', keys, [group])) as number[];
  const [waiting = 0, oldestWaitingMs = 0, active = 0, delayed = 0, due = 0, overdueMs = 0, deadLetters = 0] =
    reply;
  return { waiting, oldestWaitingMs, active, delayed, due, overdueMs, deadLetters };
}
