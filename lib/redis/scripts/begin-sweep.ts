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
}

/** Says what a sweep over the jobs of a queue begins with. */
export async function beginSweep(runner: ScriptRunner, keys: QueueKeys): Promise<SweepStart> {
  const reply = await runner.run('begin-sweep', keys, []);
  const [now, newest, waiting, delayed, failed, completed, paused] = reply as [
    string,
    string,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    now: Number(now),
    newestEntry: newest === '' ? undefined : newest,
    waiting,
    delayed,
    failed,
    completed,
    isPaused: paused === 1,
  };
}
