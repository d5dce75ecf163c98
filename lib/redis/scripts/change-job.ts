import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

/** What to do with the job. */
export type JobChange =
  /** Nothing: the reply says where the job is. */
  | { change: 'locate' }
  | { change: 'remove' | 'promote' }
  /** Due so many ms from now. */
  | { change: 'delay'; value: number }
  /** Due at a time, in unix ms. */
  | { change: 'move'; value: number }
  /** -1 = lifo, 0 = none. */
  | { change: 'priority'; value: number }
  /** The new payload, as a msgpack binary with its header. */
  | { change: 'data'; value: Buffer };

export type ChangedState =
  'waiting' | 'prioritized' | 'active' | 'delayed' | 'completed' | 'failed' | 'unknown';

export interface ChangeJobOptions extends RepeatableCall {
  id: string;
  change: JobChange;
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** Where the job is, if the caller has found it: its member in the delayed set or in the room, its entry, or the id of its dead letter. */
  member?: Buffer | undefined;
  entryId?: string | undefined;
  dlqId?: string | undefined;
}

export interface ChangeJobReply {
  /** The state of the job before the call. `unknown`: the caller has to search for it. */
  state: ChangedState;
  /** False if the state does not allow the change. Then nothing was changed. */
  done: boolean;
  /** The id of its dead letter, if it has failed. */
  dlqId: string | undefined;
}

/** Changes one job, if it is in a state that allows the change. */
export async function changeJob(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ChangeJobOptions,
): Promise<ChangeJobReply> {
  const { id, change, eventsCap, member = '', entryId = '', dlqId = '', call } = options;
  const value = 'value' in change ? change.value : '';
  const args = [change.change, id, member, entryId, dlqId, eventsCap, value];
  const reply = await runner.run('change-job', keys, args, { call });
  const [state, done, letter] = reply as [ChangedState, number, string];
  return { state, done: done === 1, dlqId: letter === '' ? undefined : letter };
}
