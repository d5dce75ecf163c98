import { afterEach, describe, expect, test } from 'vitest';
import type { JobsOptions, Queue } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;
const HOUSE = `${KEYS.prefix}dedup:house`;

const modes: [string, JobsOptions][] = [
  ['simple', { deduplication: { id: 'house' } }],
  ['throttle', { deduplication: { id: 'house', ttl: HOUR } }],
  ['debounce', { delay: HOUR, deduplication: { id: 'house', ttl: HOUR, extend: true, replace: true } }],
  ['reschedule', { delay: HOUR, deduplication: { id: 'house', reschedule: true } }],
  ['keepLastIfActive', { deduplication: { id: 'house', keepLastIfActive: true } }],
  ['in a group', { group: { id: 'acme' }, deduplication: { id: 'house' } }],
  ['with a priority', { priority: 3, deduplication: { id: 'house' } }],
];

async function fillMemory(): Promise<void> {
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await redis.client.config('SET', 'maxmemory', '1');
}

const emptyMemory = () => redis.client.config('SET', 'maxmemory', '0');

const dedupKeys = async (): Promise<string[]> => (await redis.keys()).filter((key) => key.includes('dedup'));

describe('on a full server', () => {
  afterEach(emptyMemory);

  test.each(modes)('%s: an add that is refused takes no id, and leaves nothing', async (_, options) => {
    const queue = redis.queue();
    await queue.waitUntilReady();
    const before = await redis.snapshot();
    await fillMemory();
    expect(await rejection(queue.add('a', 1, options))).toMatchObject({ code: 'CMQ-001' });
    expect(await redis.snapshot()).toEqual(before);
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    await emptyMemory();
    const job = await queue.add('a', 2, options);
    expect([job.duplicate, await queue.getDeduplicationJobId('house')]).toEqual([false, job.id]);
  });

  test.each(modes.slice(2, 4))(
    '%s: a duplicate that is refused leaves the job as it was',
    async (_, options) => {
      const queue = redis.queue();
      const job = await queue.add('a', 1, options);
      const state = () =>
        Promise.all([
          redis.client.zrange(KEYS.delayed, '0', '-1', 'WITHSCORES'),
          redis.client.hgetall(HOUSE),
        ]);
      const before = await state();
      await fillMemory();
      await rejection(queue.add('a', 2, options));
      expect(await state()).toEqual(before);
      expect(await queue.getDeduplicationJobId('house')).toBe(job.id);
    },
  );

  test.each(modes.filter(([, { delay = 0 }]) => delay === 0))(
    '%s: jobs that end free their ids',
    async (mode, options) => {
      const queue = redis.queue();
      const latch = new Latch();
      const worker = redis.worker(async () => latch.opened);
      const active = next(worker, 'active');
      await queue.add('a', 1, options);
      await active;
      if (mode === 'keepLastIfActive') await queue.add('a', 2, options);
      await fillMemory();
      const completed = take(worker, 'completed', mode === 'keepLastIfActive' ? 2 : 1);
      latch.open();
      await completed;
      await emptyMemory();
      if (mode === 'throttle') expect((await queue.add('a', 3, options)).duplicate).toBe(true);
      else await eventually(async () => expect(await dedupKeys()).toEqual([]));
    },
  );
});

/** A worker that does not know the option gets the next job. Returns what it does at the end of the job: it frees the entry, and nothing else. */
async function deliver(): Promise<() => Promise<void>> {
  const args = ['GROUP', 'default', 'old', 'COUNT', 1, 'STREAMS', KEYS.stream, '>'] as const;
  const [[, entries]] = (await redis.client.xreadgroup(...args)) as [[string, [string, string[]][]]];
  const [entry] = entries[0] as [string, string[]];
  return async () => {
    await redis.client.xack(KEYS.stream, 'default', entry);
    await redis.client.xdel(KEYS.stream, entry);
  };
}

describe('a job that a worker without the option has ended', () => {
  async function add(queue: Queue, options: JobsOptions): Promise<string> {
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0', 'MKSTREAM');
    return (await queue.add('a', 1, options)).id;
  }

  test('has its id no longer, and the next job takes it', async () => {
    const queue = redis.queue();
    const first = await add(queue, { deduplication: { id: 'house' } });
    const end = await deliver();
    await end();
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    expect(await redis.client.exists(HOUSE)).toBe(1);
    const second = await queue.add('a', 2, { deduplication: { id: 'house' } });
    expect([second.duplicate, second.id === first]).toEqual([false, false]);
    await take(
      redis.worker(() => undefined),
      'completed',
      1,
    );
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test('is no reason to wait for the kept job: it starts, and frees the id', async () => {
    const queue = redis.queue();
    const options = { deduplication: { id: 'house', keepLastIfActive: true } };
    await add(queue, options);
    const end = await deliver();
    await queue.add('a', 2, options);
    expect(await queue.getDelayedCount()).toBe(1);
    await end();
    // The promoter looks at it within a minute; this is that time.
    const [member] = await redis.client.zrangeBuffer(KEYS.delayed, '0', '0');
    await redis.client.zadd(KEYS.delayed, Date.now() - 1, member as Buffer);
    const [job] = await next(
      redis.worker(() => undefined),
      'completed',
    );
    expect(job.data).toBe(2);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });
});
