import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { JobsOptions, Queue } from '../../../lib/engine/index.js';
import { KEYS, eventually, useKit } from './kit.js';

/* What the gate needs is gone when the queue has no use for it any more, also when the queue was never gated. */

const redis = useKit();

const HOUR = 3_600_000;
const IDLE = `${KEYS.prefix}wake:idle`;
const PLACES: Record<string, JobsOptions> = {
  'a priority': { priority: 3 },
  lifo: { lifo: true },
  'a group': { group: { id: 'a' } },
};

type End = (queue: Queue, options: JobsOptions) => Promise<unknown>;
const later = async (queue: Queue, options: JobsOptions) =>
  queue.add('a', 1, { ...options, delay: HOUR, jobId: 'late' });

const ENDS: Record<string, End> = {
  'is removed': async (queue, options) => (await later(queue, options)).remove(),
  'is cancelled': async (queue, options) => {
    await later(queue, options);
    await queue.cancel('late');
  },
  'is drained': async (queue, options) => {
    await later(queue, options);
    await queue.drain(true);
  },
  'is cleaned': async (queue, options) => {
    await later(queue, options);
    expect(await queue.clean(0, 10, 'delayed')).toHaveLength(1);
  },
  'is replaced, and the other one is removed': async (queue, options) => {
    const deduplication = { id: 'x', ttl: HOUR, replace: true };
    await queue.add('a', 1, { ...options, delay: HOUR, deduplication });
    await (await queue.add('b', 2, { delay: HOUR, deduplication })).remove();
  },
};

describe.each(Object.keys(PLACES))('a delayed job with %s', (place) => {
  const options = PLACES[place] as JobsOptions;

  test.each(Object.keys(ENDS))('leaves nothing when it %s', async (end) => {
    const queue = redis.queue();
    await (ENDS[end] as End)(queue, options);
    expect(await redis.keys()).not.toContain(KEYS.gate);
  });

  test('keeps its place, whatever else is removed', async () => {
    const queue = redis.queue();
    await later(queue, options);
    await (await queue.add('b', 2, { delay: HOUR, priority: 9 })).remove();
    expect(await redis.keys()).toContain(KEYS.gate);
    await (await queue.getJob('late'))?.promote();
    expect(await redis.client.zcard(KEYS.room)).toBe(1);
    expect(await redis.keys()).toContain(KEYS.gate);
  });
});

test('a delayed job that has a priority no more leaves nothing when it is due', async () => {
  const queue = redis.queue();
  const job = await queue.add('a', 1, { delay: HOUR, priority: 3 });
  await job.changePriority({ priority: 0 });
  await job.changeDelay(50);
  let runs = 0;
  redis.worker(() => void (runs += 1));
  await eventually(() => {
    expect(runs).toBe(1);
  });
  expect(await redis.keys()).not.toContain(KEYS.gate);
});

const LIMITS: Record<string, [set: (queue: Queue) => Promise<unknown>, end: (queue: Queue) => unknown]> = {
  'a rate limit': [(queue) => queue.setGlobalRateLimit(5, 1_000), (queue) => queue.removeGlobalRateLimit()],
  'a concurrency': [(queue) => queue.setGlobalConcurrency(5), (queue) => queue.removeGlobalConcurrency()],
  'a pause of all starts': [(queue) => queue.rateLimit(HOUR), (queue) => queue.removeRateLimitKey()],
  'a pause of all starts that ends': [(queue) => queue.rateLimit(300), () => delay(300)],
};

test.each(Object.keys(LIMITS))('%s leaves no idle workers when it ends', async (name) => {
  const [set, end] = LIMITS[name] as (typeof LIMITS)[string];
  const queue = redis.queue();
  let runs = 0;
  for (let i = 0; i < 2; i += 1) redis.worker(() => void (runs += 1));
  await set(queue);
  await queue.add('a', 1);
  if (!name.startsWith('a pause'))
    await eventually(async () => {
      expect(await redis.client.zcard(IDLE)).toBe(2);
    });
  await end(queue);
  await eventually(() => {
    expect(runs).toBe(1);
  });
  await eventually(async () => {
    expect(await redis.client.exists(IDLE)).toBe(0);
  });
  await queue.add('a', 2);
  await eventually(() => {
    expect(runs).toBe(2);
  });
  // Nothing that was under way has put them back.
  await delay(1_200);
  expect(await redis.client.exists(IDLE)).toBe(0);
});
