import type { QueueKeys } from '../keys.js';
import type { StreamEntry } from '../replies.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { ALL, letterFilterArgs } from './lib/job-filter.js';
import type { LetterFilter, PageBounds, SliceBounds } from './lib/job-filter.js';

export interface ReadDeadLettersOptions extends SliceBounds, PageBounds {
  /** The first and the last id to look at, as XRANGE takes them, or XREVRANGE for the newest first. */
  from: string;
  to: string;
  order: 'oldest' | 'newest';
  filter: LetterFilter;
}

export interface DeadLetterSlice<T> {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  /** How many were passed over. */
  skipped: number;
  letters: T[];
}

/** Reads a slice of the dead letters. */
export function readDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReadDeadLettersOptions,
): Promise<DeadLetterSlice<StreamEntry>> {
  return read<StreamEntry>(runner, keys, options, '1');
}

/** Reads the ids alone. */
export async function readDeadLetterIds(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReadDeadLettersOptions,
): Promise<DeadLetterSlice<string>> {
  const slice = await read<Buffer>(runner, keys, options, '');
  return { ...slice, letters: slice.letters.map(String) };
}

async function read<T extends StreamEntry | Buffer>(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, order, skip = 0, take = ALL, entries, bytes, filter }: ReadDeadLettersOptions,
  whole: '1' | '',
): Promise<DeadLetterSlice<T>> {
  const args = [from, to, order, whole, skip, take, entries, bytes, ...letterFilterArgs(filter)];
  const reply = await runner.run('read-dead-letters', keys, args, LARGE_READ);
  const [next, skipped, ...letters] = reply as [Buffer, number, ...T[]];
  return { next: next.length === 0 ? undefined : next.toString(), skipped, letters };
}
