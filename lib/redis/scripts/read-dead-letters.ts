import type { QueueKeys } from '../keys.js';
import type { StreamEntry } from '../replies.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ReadDeadLettersOptions {
  /** The first and the last id to look at, as XRANGE takes them. */
  from: string;
  to: string;
  /** About how many dead letters to look at. */
  count: number;
  /** Only those with this reason; undefined = any. */
  reason: string | undefined;
  /** Only those of these jobs; empty = of all. */
  jobIds: readonly string[];
}

export interface DeadLetterSlice<T> {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
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
  const { next, letters } = await read<Buffer>(runner, keys, options, '');
  return { next, letters: letters.map(String) };
}

async function read<T extends StreamEntry | Buffer>(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, count, reason = '', jobIds }: ReadDeadLettersOptions,
  whole: '1' | '',
): Promise<DeadLetterSlice<T>> {
  const args = [from, to, count, whole, reason, ...jobIds];
  const reply = await runner.run('read-dead-letters', keys, args, { buffers: true, once: true });
  const [next, ...letters] = reply as [Buffer, ...T[]];
  return { next: next.length === 0 ? undefined : next.toString(), letters };
}
