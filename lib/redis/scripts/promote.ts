import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import type { EventOptions } from './lib/event-batch.js';

export interface PromoteOptions extends EventOptions {
  holder: string;
  lockMs: number;
  /** The most jobs of one call. */
  batch: number;
  /** Lead from now on, even if another process leads: the caller knows of a job that is due earlier. */
  lead: boolean;
  group: string;
  /** Wake entries to acknowledge. */
  wakeIds: readonly string[];
}

export type PromoteReply =
  | {
      leads: true;
      promoted: number;
      /** When the next job is due, in unix ms; undefined if none is delayed. */
      nextDue: number | undefined;
      /** How many jobs are left in the delayed set. */
      depth: number;
      /** By how many ms the earliest of them is overdue. */
      lagMs: number;
      /** Redis's clock, in unix ms. */
      now: number;
    }
  | {
      /** Another process leads, and nothing was done. */
      leads: false;
      /** For how many ms it still leads. */
      ledForMs: number;
      now: number;
    };

/** Moves due jobs from the delayed set to the work stream. */
export async function promote(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: PromoteOptions,
): Promise<PromoteReply> {
  const { holder, lockMs, batch, eventsCap, eventsBatchFrom, lead, group, wakeIds } = options;
  const args = [holder, lockMs, batch, eventsCap, eventsBatchFrom, lead ? '1' : '0', group, ...wakeIds];
  const reply = await runner.run('promote', keys, args);
  const [leads, promoted, next, depth, lag, time] = reply as [number, number, string, number, number, string];
  const now = Number(time);
  if (leads !== 1) return { leads: false, ledForMs: lag, now };
  return { leads: true, promoted, nextDue: next === '' ? undefined : Number(next), depth, lagMs: lag, now };
}
