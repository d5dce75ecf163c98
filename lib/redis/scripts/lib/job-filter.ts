import type { ScriptArgument } from '../../script-runner.js';

/** Which jobs a script looks for: lua/lib/job-filter.lua. A job must match all fields that are set. */
export interface JobFilter {
  /** Dispatch name; '' = jobs without a name. */
  name?: string | undefined;
  /** Each must be in the bytes of the job. */
  texts?: readonly string[] | undefined;
  /** Job ids; none = any. */
  jobIds?: Iterable<string> | undefined;
}

/** Which dead letters: lua/lib/letter-filter.lua. A text may also be in the detail or in the stack. */
export interface LetterFilter extends JobFilter {
  reason?: string | undefined;
}

export function filterArgs({ name, texts = [], jobIds = [] }: JobFilter): ScriptArgument[] {
  const ids = [...jobIds];
  return [name === undefined ? '' : `=${name}`, texts.length, ...texts, ids.length, ...ids];
}

export function letterFilterArgs({ reason = '', ...filter }: LetterFilter): ScriptArgument[] {
  return [reason, ...filterArgs(filter)];
}

/** Bounds of one call. A slice ends when it has reached any of them. */
export interface SliceBounds {
  /** About how many entries to look at. */
  entries: number;
  /** About how many bytes to read. */
  bytes: number;
}

/** A page of a list: pass over `skip`, then return at most `take`. */
export interface PageBounds {
  skip?: number | undefined;
  take?: number | undefined;
}

/** More than any page has. */
export const ALL = 2 ** 31;
