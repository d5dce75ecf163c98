import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../lib/engine/index.js';
import type { Queue, WorkerOptions } from '../../../lib/engine/index.js';
import { DeclaredLimits } from '../../../lib/engine/worker/declare-limits.js';
import { runnerOn } from '../../support/script-runner.js';
import { KEYS, eventually, next, useKit } from './kit.js';

const redis = useKit();

const LIMITER = { max: 5, duration: 600 };
const GROUP = { concurrency: 2, limit: { max: 7, duration: 900 }, strict: true };
type Declaring = Pick<WorkerOptions, 'limiter' | 'group'>;

async function declaring(options: Declaring): Promise<ReturnType<typeof redis.worker>> {
  const worker = redis.worker(() => undefined, options);
  await worker.waitUntilReady();
  return worker;
}

async function holds(queue: Queue): Promise<void> {
  await eventually(async () => {
    expect(await queue.getGlobalRateLimit()).toEqual(LIMITER);
    expect(await queue.getGroupDefaults()).toEqual(GROUP);
  });
}

describe('limits that a worker declares', () => {
  test.each([
    ['Redis has lost its data', () => redis.client.flushall()],
    ['the queue was obliterated', (queue: Queue) => queue.obliterate()],
    ['somebody has deleted the policy', () => redis.client.del(KEYS.meta)],
    [
      'they were removed',
      async (queue: Queue) => {
        expect(await queue.removeGlobalRateLimit()).toBe(1);
        expect(await queue.removeGroupDefaults()).toBe(true);
      },
    ],
  ])('hold again when %s', async (_, lose) => {
    const queue = redis.queue();
    await declaring({ limiter: LIMITER, group: GROUP });
    await holds(queue);
    await lose(queue);
    await holds(queue);
  });

  test('of groups only are looked at, too', async () => {
    const queue = redis.queue();
    await declaring({ group: GROUP });
    for (let i = 0; i < 2; i += 1) {
      await redis.client.flushall();
      await eventually(async () => {
        expect(await queue.getGroupDefaults()).toEqual(GROUP);
      });
    }
  });

  test('hold in a worker that starts after they were removed', async () => {
    const queue = redis.queue();
    await (await declaring({ limiter: LIMITER, group: GROUP })).close();
    await queue.removeGlobalRateLimit();
    await queue.removeGroupDefaults();
    expect(await queue.getGlobalRateLimit()).toBe(null);
    await declaring({ limiter: LIMITER, group: GROUP });
    await holds(queue);
  });

  test('leave alone what a method sets while they are declared, whatever it sets', async () => {
    const queue = redis.queue();
    await declaring({ limiter: LIMITER, group: GROUP });
    await queue.setGlobalRateLimit(1_000, 1_000);
    await queue.setGroupDefaults({ concurrency: 9 });
    await queue.setGlobalConcurrency(3);
    await queue.removeGlobalConcurrency();
    const reads = await policyReads(3);
    expect(reads).toBeGreaterThanOrEqual(3);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 1_000, duration: 1_000 });
    expect(await queue.getGroupDefaults()).toEqual({ concurrency: 9 });
  });

  test('do not change to and fro between processes that declare different ones', async () => {
    const queue = redis.queue();
    await declaring({ limiter: LIMITER });
    await declaring({ limiter: { max: 9, duration: 900 } });
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 9, duration: 900 });
    await redis.client.flushall();
    await eventually(async () => {
      expect(await queue.getGlobalRateLimit()).not.toBe(null);
    });
    const settled = await queue.getGlobalRateLimit();
    // Both look once a second.
    for (let i = 0; i < 3; i += 1) {
      await policyReads(2);
      expect(await queue.getGlobalRateLimit()).toEqual(settled);
    }
  });
});

test('a worker that has read that nothing is declared stores nothing if another one has declared meanwhile', async () => {
  const queue = redis.queue();
  const old = new DeclaredLimits(runnerOn(redis.client), KEYS, { limiter: LIMITER, groupLimits: undefined });
  await declaring({ limiter: { max: 9, duration: 900 } });
  await old.restore({ declared: { limiter: false, group: false } });
  expect(await queue.getGlobalRateLimit()).toEqual({ max: 9, duration: 900 });
});

/** Resolves when the workers have read the policy so many times more, with how many times. */
async function policyReads(count: number): Promise<number> {
  const calls = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
  const before = await calls();
  let made = 0;
  await eventually(async () => {
    made = (await calls()) - before;
    expect(made).toBeGreaterThanOrEqual(count);
  });
  return made;
}

describe('a policy that another program has written to', () => {
  test.each([
    ['concurrency', '-5'],
    ['concurrency', 'nan'],
    ['concurrency', '1.5'],
    ['concurrency', '9'.repeat(400)],
    ['max', '-5'],
    ['duration', 'abc'],
    ['duration', '1e999'],
    ['limited', 'inf'],
    ['groupConcurrency', '0'],
    ['groupMax', 'x'],
    ['groupDuration', ' 5'],
  ])('%s %j is no limit, and is reported once', async (field, value) => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(1_000, 1_000);
    await queue.setGroupDefaults({ limit: { max: 1_000, duration: 1_000 } });
    const ran: string[] = [];
    const worker = redis.worker(({ name }) => void ran.push(name));
    await worker.waitUntilReady();
    await redis.client.hset(KEYS.meta, field, value);
    await queue.addBulk(['a', 'b', 'c'].map((name) => ({ name, data: 1 })));
    await queue.add('d', 1, { group: { id: 'g' } });
    await queue.add('e', 1, { priority: 1 });
    await eventually(() => {
      expect(ran.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(redis.errors.length).toBe(1);
    });
    await policyReads(4);
    expect(redis.errors).toEqual([expect.any(DecodeError)]);
    const [error] = redis.errors.splice(0);
    expect(error).toMatchObject({ code: 'CMQ-003' });
    expect(error?.message).toContain(`"${field}" is "`);
    const { concurrency, limit = { max: 1, duration: 1 } } = await queue.getGroupDefaults();
    const said = [
      await queue.getGlobalConcurrency(),
      Object.values((await queue.getGlobalRateLimit()) ?? {}),
      await queue.getRateLimitTtl(),
      concurrency ?? null,
      Object.values(limit),
    ].flat();
    expect(said.filter((number) => number !== null && !((number as number) > 0 || number === -2))).toEqual(
      [],
    );
    expect(await queue.isMaxed()).toBe(false);
  });

  test.each([
    ['paused', 'yes'],
    ['until', 'never'],
  ])('%s %j pauses the queue until it is resumed, and is reported once', async (field, value) => {
    const queue = redis.queue();
    await queue.pause();
    await redis.client.hset(KEYS.meta, field, value);
    const worker = redis.worker(() => undefined);
    await worker.waitUntilReady();
    await queue.add('a', 1);
    await eventually(() => {
      expect(redis.errors.splice(0)).toEqual([expect.objectContaining({ code: 'CMQ-003' })]);
    });
    expect(await queue.isPaused()).toBe(true);
    expect(await queue.getWaitingCount()).toBe(1);
    const completed = next(worker, 'completed');
    await queue.resume();
    await completed;
  });
});
