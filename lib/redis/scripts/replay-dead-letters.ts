import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface ReplayedLetter {
  /** The id of the dead letter. */
  readonly id: Buffer;
  readonly jobId: string;
  /** Dispatch name. */
  readonly name: Buffer | undefined;
  /** The msgpack Job with its attempt counter at 0. */
  readonly bytes: Buffer;
  /** For how many ms the id stays taken, if it was the caller's. */
  readonly uniqueMs: Buffer | undefined;
}

export interface ReplayDeadLettersOptions extends RepeatableCall {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  letters: readonly ReplayedLetter[];
}

/** `id-taken`: it stays, because another live job has its id. */
export type ReplayState = (typeof STATES)[number];

const STATES = ['gone', 'moved', 'id-taken'] as const;

/** Moves dead letters back to the work stream. Resolves with what became of each. */
export async function replayDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  { eventsCap, letters, call }: ReplayDeadLettersOptions,
): Promise<ReplayState[]> {
  const args: ScriptArgument[] = [eventsCap];
  for (const { id, jobId, name, bytes, uniqueMs } of letters) {
    args.push(id, jobId, name ?? '', bytes, uniqueMs ?? '');
  }
  const states = (await runner.run('replay-dead-letters', keys, args, { call })) as (0 | 1 | 2)[];
  return states.map((state) => STATES[state]);
}
