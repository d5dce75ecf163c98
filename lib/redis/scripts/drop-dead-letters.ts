import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export interface DropDeadLettersOptions extends RepeatableCall {
  ids: readonly string[];
  /** `removed`: an event for each job. `cleaned`: one event for all. */
  event: 'removed' | 'cleaned';
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
}

/** Deletes dead letters. Resolves with the ids of their jobs; of one without a job, with its own. */
export async function dropDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  { ids, event, eventsCap, call }: DropDeadLettersOptions,
): Promise<string[]> {
  return (await runner.run('drop-dead-letters', keys, [event, eventsCap, ...ids], { call })) as string[];
}
