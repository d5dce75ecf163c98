import type { Job, JobsOptions } from '../../../lib/engine/index.js';
import type { ModelJob } from './model.js';

export const WORKERS = 3;

export const PLAIN = ['pause', 'resume', 'forget', 'limit', 'age', 'drain', 'audit'] as const;
export const GROUPS = ['a', 'b', 'c'] as const;
export const OF_WORKER = ['complete', 'complete all', 'retry', 'die', 'release', 'late', 'crash'] as const;
export const OF_JOB = ['remove', 'promote', 'replay', 'to delayed'] as const;
export const KINDS = {
  plain: {},
  'priority 1': { priority: 1 },
  'priority 2': { priority: 2 },
  lifo: { lifo: true },
} as const satisfies Record<string, JobsOptions>;
export type Kind = keyof typeof KINDS;
export const RANKS: Record<Kind, number> = { lifo: 0, plain: 1, 'priority 1': 2, 'priority 2': 3 };

export type Of<K extends string> = Extract<Step, Record<K, unknown>>;
export type Step =
  | { add: Kind; group: string; delayed: boolean; ownId: boolean }
  | { fetch: number; worker: number; reclaim: boolean }
  | { of: (typeof OF_WORKER)[number]; worker: number; nth: number }
  | { job: (typeof OF_JOB)[number]; nth: number }
  | { change: Kind; nth: number }
  | { do: (typeof PLAIN)[number] }
  | { concurrency: number }
  | { max: number }
  | { group: string; set: 'pause' | 'resume' | 'concurrency' | 'max'; to: number }
  | { groupConcurrency: number };

export function optionsOf(kind: Kind, group: string): JobsOptions {
  if (group === '') return KINDS[kind];
  const { priority } = KINDS[kind] as JobsOptions;
  return { group: { id: group, ...(priority !== undefined && { priority }) } };
}

/** None of an empty list. */
export const pick = <T>(list: readonly T[], nth: number): T | undefined =>
  list[nth % Math.max(1, list.length)];
export const names = (jobs: readonly (Job | ModelJob)[]): number[] => jobs.map(({ data }) => Number(data));
export const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
