import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** What a sweep over the jobs of a queue begins with. */
export interface SweepStart {
  /** Redis's clock, in unix ms. */
  now: number;
  /** The newest entry of the work stream; undefined if there is none. */
  newestEntry: string | undefined;
  waiting: number;
  delayed: number;
  failed: number;
  /** Completed jobs that are kept. */
  completed: number;
  isPaused: boolean;
  /** Jobs of the room. */
  lifo: number;
  prioritized: number;
  grouped: number;
  /** The number that the room gave out last. */
  number: string;
}

/** Says what a sweep over the jobs of a queue begins with. */
export async function beginSweep(runner: ScriptRunner, keys: QueueKeys): Promise<SweepStart> {
  const reply = await runner.run('begin-sweep', keys, []);
  const [now, newest, ...rest] = reply as [string, string, ...number[]];
  const [
    waiting = 0,
    delayed = 0,
    failed = 0,
    completed = 0,
    paused,
    lifo = 0,
    prioritized = 0,
    grouped = 0,
  ] = rest;
  return {
    now: Number(now),
    newestEntry: newest === '' ? undefined : newest,
    waiting,
    delayed,
    failed,
    completed,
    isPaused: paused === 1,
    lifo,
    prioritized,
    grouped,
    number: String(rest.at(-1)),
  };
}
