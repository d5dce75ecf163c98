import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Job, Processor } from '../../../lib/engine/index.js';
import { setGroup } from '../../../lib/redis/scripts/set-group.js';
import type { SetGroupOptions } from '../../../lib/redis/scripts/set-group.js';
import { setPolicy } from '../../../lib/redis/scripts/set-policy.js';
import type { PolicyFields } from '../../../lib/redis/scripts/set-policy.js';
import { runnerOn } from '../../support/script-runner.js';
import { KEYS, eventually } from './kit.js';
import type { Kit } from './kit.js';

export interface GroupedJob {
  name: string;
  data: number;
  opts: { group: { id: string; priority?: number }; attempts?: number };
}

/** `count` jobs of a group, with the data 0, 1, 2… */
export function jobsOf(id: string, count: number, opts: { attempts?: number } = {}): GroupedJob[] {
  return Array.from({ length: count }, (_, data) => ({ name: id, data, opts: { group: { id }, ...opts } }));
}

/** Writes down what handlers do, by group: the name of a job is its group. */
export class Diary {
  /** `<group><data>` of each start, in order. */
  readonly started: string[] = [];
  /** When each started, in ms of one clock. */
  readonly times = new Map<string, number[]>();
  readonly #running = new Map<string, number>();
  /** The most that ran at once, per group. */
  readonly most = new Map<string, number>();

  processor(ms: number | ((job: Job) => unknown) = 0): Processor {
    return async (job) => {
      const { name } = job;
      this.started.push(`${name}${String(job.data)}`);
      this.times.set(name, [...(this.times.get(name) ?? []), performance.now()]);
      const running = (this.#running.get(name) ?? 0) + 1;
      this.#running.set(name, running);
      this.most.set(name, Math.max(running, this.most.get(name) ?? 0));
      try {
        if (typeof ms === 'function') await ms(job);
        else if (ms > 0) await delay(ms);
      } finally {
        this.#running.set(name, (this.#running.get(name) ?? 1) - 1);
      }
    };
  }
}

/** So many jobs have started. */
export async function allOf(diary: Diary, count: number, ms?: number): Promise<void> {
  await eventually(() => {
    expect(diary.started.length).toBe(count);
  }, ms);
}

/** Changes the limits of all groups. */
export function groupDefaults(redis: Kit, fields: PolicyFields): Promise<boolean> {
  return setPolicy(runnerOn(redis.client), KEYS, { fields });
}

export function changeGroup(redis: Kit, options: SetGroupOptions): Promise<boolean> {
  return setGroup(runnerOn(redis.client), KEYS, options);
}

/** How many slots are in use. */
export function slots(redis: Kit): Promise<number> {
  return redis.client.zcard(`${KEYS.prefix}slots`);
}

/** Nothing waits, nothing runs, and no key of a group is left. */
export async function expectNoTrace(redis: Kit): Promise<void> {
  await eventually(async () => {
    const left = (await redis.keys()).filter((key) => /:(groups|slots|room|limit)/.test(key));
    expect(left).toEqual([]);
    expect((await redis.client.xpending(KEYS.stream, 'default'))[0]).toBe(0);
  });
}
