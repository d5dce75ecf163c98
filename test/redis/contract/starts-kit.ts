import { expect } from 'vitest';
import { decodedParts } from '../../../lib/engine/worker/fetch/brought.js';
import { createGroup } from '../../../lib/redis/scripts/create-group.js';
import { GATE_KEY, readGateNews, take } from '../../../lib/redis/scripts/take.js';
import type { GateNews, TakeOptions } from '../../../lib/redis/scripts/take.js';
import { runnerOn } from '../../support/script-runner.js';
import { changeGroup, groupDefaults } from './groups-kit.js';
import { KEYS, eventually } from './kit.js';
import type { Kit } from './kit.js';

export const GROUP = 'default';

type Said = Pick<TakeOptions, 'more' | 'before' | 'isLate' | 'isLost'>;

export interface Taken {
  readonly jobs: number;
  readonly starts: string | undefined;
  readonly startsInMs: number;
  readonly waitMs: number | undefined;
  readonly waiting: GateNews['waiting'];
}

/** The ways to set a rate limit that jobs of the group `a` have to obey. */
export function rateLimits(redis: Kit) {
  return Object.entries({
    queue: (max: number, duration: number) => redis.queue().setGlobalRateLimit(max, duration),
    'every group': (max: number, duration: number) =>
      groupDefaults(redis, { groupMax: max, groupDuration: duration }),
    'one group': (max: number, duration: number) => changeGroup(redis, { group: 'a', max, duration }),
  });
}

export async function join(redis: Kit, ...consumers: string[]): Promise<void> {
  for (const consumer of consumers)
    await createGroup(runnerOn(redis.client), KEYS, { stream: KEYS.stream, group: GROUP, consumer });
}

/** What a worker takes of the gate. @param said of the deliveries before, and how many jobs may wait */
export async function takeAs(redis: Kit, consumerId: string, count: number, said: Said = {}): Promise<Taken> {
  const reply = await take(runnerOn(redis.client), KEYS, { group: GROUP, consumerId, count, ...said });
  const { parts, others } = decodedParts(reply, KEYS.stream);
  const news = others.find(([key]) => key === GATE_KEY)?.[1] ?? [];
  return { ...readGateNews(news), jobs: parts.flat().length };
}

export async function redisNow(redis: Kit): Promise<number> {
  const [seconds, us] = await redis.client.time();
  return Number(seconds) * 1_000 + Math.floor(Number(us) / 1_000);
}

/** No job is left that was delivered and may not have started. */
export async function untilAllConfirmed(redis: Kit): Promise<void> {
  await eventually(async () => {
    expect((await redis.keys()).filter((key) => key.endsWith('taking'))).toEqual([]);
  });
}
