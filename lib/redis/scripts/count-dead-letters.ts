import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { letterFilterArgs } from './lib/job-filter.js';
import type { LetterFilter, SliceBounds } from './lib/job-filter.js';

export interface CountDeadLettersOptions extends SliceBounds {
  /** The first and the last id to look at, as XRANGE takes them. */
  from: string;
  to: string;
  /** What to count by; a number is the length of a span of time, in ms. */
  by: 'reason' | 'name' | number;
  filter: LetterFilter;
}

export interface CountDeadLettersReply {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  lookedAt: number;
  /** For a span, the value is the unix ms at which it begins. */
  counts: [value: string, count: number][];
}

/** Counts a slice of the dead letters by one of their properties. */
export async function countDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, by, entries, bytes, filter }: CountDeadLettersOptions,
): Promise<CountDeadLettersReply> {
  const args = [from, to, by, entries, bytes, ...letterFilterArgs(filter)];
  const reply = await runner.run('count-dead-letters', keys, args);
  const [next, lookedAt, ...counts] = reply as [string, number, ...[string, number][]];
  return { next: next === '' ? undefined : next, lookedAt, counts };
}
