import type { QueueKeys } from '../keys.js';
import type { StreamEntry } from '../replies.js';
import type { ScriptRunner } from '../script-runner.js';

export interface TakeOptions {
  group: string;
  consumerId: string;
  /** How many jobs can start here now. */
  count: number;
  /** So many more may wait here until they can start, where that hurts no order and no limit. Default: none. */
  more?: number;
  /** {@link GateNews.starts} of the last reply that has arrived; undefined: that was confirmed, or there is none. */
  before?: string | undefined;
  /** Some of its jobs have not started. Default: all have. */
  isLate?: boolean;
  /** A reply since may be lost, and its jobs with it: they have not started. */
  isLost?: boolean;
}

/** What the gate says beside the jobs. */
export interface GateNews {
  /** Ask again after so many ms; undefined: when woken. */
  readonly waitMs: number | undefined;
  /** The queue is not gated any more. */
  readonly isOpen: boolean;
  /** What to confirm when these jobs have started; undefined: nobody counts starts. */
  readonly starts: string | undefined;
  /** These jobs may not start earlier than so many ms after the reply. */
  readonly startsInMs: number;
  /** Whether jobs may wait here: `more` may come, those that wait may stay, or they have to go back. */
  readonly waiting: 'more' | 'stay' | 'back';
}

/** In the reply, the key of what {@link readGateNews} reads. Keys of queues are never like it. */
export const GATE_KEY = 'gate';

/** In the reply, the key of jobs that come as they were in the room: entry ids and members, in turns. Keys of queues are never like it. */
export const ROOM_KEY = 'room';

/** The key of jobs that have nothing but a Job and a name: entry ids, Jobs and names, in turns. */
export const NAMED_KEY = 'named';

/**
 * Fetches jobs of a gated queue. Resolves with a reply in the shape of one of XREADGROUP: jobs, in parts whose entries stand next to
 * each other, and an entry under {@link GATE_KEY}. Never sent twice.
 */
export function take(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, consumerId, count, more = 0, before = '', isLate = false, isLost = false }: TakeOptions,
): Promise<unknown> {
  const args = [group, consumerId, count, before, isLate ? '1' : '', isLost ? '1' : '', more];
  return runner.run('take', keys, args, {
    buffers: true,
    mostSends: 1,
  });
}

export function readGateNews([entry]: readonly StreamEntry[]): GateNews {
  const [, wait = '', , open = '', , starts = '', , startsIn = '', , far = ''] = entry?.[1].map(String) ?? [];
  return {
    waitMs: wait === '' ? undefined : Number(wait),
    isOpen: open === '1',
    starts: starts === '' ? undefined : starts,
    startsInMs: Number(startsIn) / 1000,
    waiting: far === '1' ? 'more' : far === '0' ? 'back' : 'stay',
  };
}
