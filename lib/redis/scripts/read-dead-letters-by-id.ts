import type { QueueKeys } from '../keys.js';
import type { StreamEntry } from '../replies.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { letterFilterArgs } from './lib/job-filter.js';
import type { LetterFilter } from './lib/job-filter.js';

export interface ReadDeadLettersByIdOptions {
  ids: readonly string[];
  filter: LetterFilter;
}

export interface DeadLettersById<T> {
  /** How many of the ids were looked up, counted from the first. */
  covered: number;
  letters: T[];
}

/** Reads dead letters by their ids. */
export function readDeadLettersById(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReadDeadLettersByIdOptions,
): Promise<DeadLettersById<StreamEntry>> {
  return read<StreamEntry>(runner, keys, options, '1');
}

/** Reads which of the ids are there. */
export async function readDeadLetterIdsById(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReadDeadLettersByIdOptions,
): Promise<DeadLettersById<string>> {
  const { covered, letters } = await read<Buffer>(runner, keys, options, '');
  return { covered, letters: letters.map(String) };
}

async function read<T extends StreamEntry | Buffer>(
  runner: ScriptRunner,
  keys: QueueKeys,
  { ids, filter }: ReadDeadLettersByIdOptions,
  whole: '1' | '',
): Promise<DeadLettersById<T>> {
  const args = [whole, ids.length, ...ids, ...letterFilterArgs(filter)];
  const reply = await runner.run('read-dead-letters-by-id', keys, args, LARGE_READ);
  const [covered, ...letters] = reply as [number, ...T[]];
  return { covered, letters };
}
