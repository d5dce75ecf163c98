import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { queueKeys } from '../../lib/redis/keys.js';
import { promote as promoteDue } from '../../lib/redis/scripts/promote.js';
import { Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { runnerOn } from '../support/script-runner.js';

/*
 * The promoter looks for the marker of an id only where `delayed:unique` has it. What these tests are about: an id of the
 * caller's keeps what it had, in whatever company it is promoted, and nothing of it stays behind.
 */

const redis = useRedis();
const keys = queueKeys('promotion');
const UNIQUE = `${keys.prefix}delayed:unique`;

const BATCH = 256;

/** As a leader does; resolves with how many were promoted. */
async function promote(batch = BATCH): Promise<number> {
  const reply = await promoteDue(runnerOn(redis.client), keys, {
    holder: 'h',
    lockMs: 5_000,
    batch,
    lead: true,
    group: 'default',
    wakeIds: [],
    eventsCap: 0,
    eventsBatchFrom: 0,
  });
  return reply.leads ? reply.promoted : 0;
}

async function withQueue<T>(use: (queue: Queue) => Promise<T>): Promise<T> {
  const queue = new Queue(keys.queue, { connection: { ...redis.connection } });
  try {
    return await use(queue);
  } finally {
    await queue.close();
  }
}

interface Entry {
  id: string;
  fields: Record<string, string>;
}

async function promoted(): Promise<Entry[]> {
  const entries = await redis.client.xrange(keys.stream, '-', '+');
  return entries.map(([id, fields]) => ({
    id,
    fields: Object.fromEntries(fields.flatMap((field, i) => (i % 2 === 0 ? [[field, fields[i + 1]!]] : []))),
  }));
}

const jobIdIn = ({ fields }: Entry): string | undefined =>
  /order-\d+|[0-9A-Z]{26}/.exec(fields['d'] ?? '')?.[0];

const member = (name: string, rest: string | Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(Buffer.byteLength(name));
  return Buffer.concat([head, Buffer.from(name), Buffer.from(rest)]);
};

/** Until jobs with a delay of 1 ms are due. */
const due = (): Promise<void> => delay(10);

describe('promotion', () => {
  test('keeps for how long an id stays taken, and stores where its job is', async () => {
    await withQueue(async (queue) => {
      const jobs = Array.from({ length: 60 }, (_, i) => ({
        name: 'send',
        data: i,
        opts: i % 7 === 3 ? { delay: 1, jobId: `order-${String(i)}`, dedupTtlMs: 1_000 + i } : { delay: 1 },
      }));
      const added = await queue.addBulk(jobs);
      const mine = jobs.flatMap(({ opts }) => opts.jobId ?? []);
      expect((await redis.client.smembers(UNIQUE)).sort()).toEqual([...mine].sort());

      await due();
      expect(await promote()).toBe(jobs.length);
      const byId = new Map((await promoted()).map((entry) => [jobIdIn(entry), entry]));
      expect(byId.size).toBe(jobs.length);
      for (const [i, { id }] of added.entries()) {
        const { dedupTtlMs } = jobs[i]!.opts;
        const entry = byId.get(id)!;
        expect(entry.fields['u']).toBe(dedupTtlMs === undefined ? undefined : String(dedupTtlMs));
        const marker = await redis.client.get(keys.dedup(id));
        expect(marker).toBe(dedupTtlMs === undefined ? null : `${String(dedupTtlMs)}:${entry.id}`);
      }
      expect(await redis.client.exists(UNIQUE, ...mine.map((id) => keys.delayedIndex(id)))).toBe(0);
    });
  });

  test('in several calls keeps the ids of jobs that are still delayed', async () => {
    await withQueue(async (queue) => {
      const ids = Array.from({ length: 10 }, (_, i) => `id-${String(i)}`);
      for (const jobId of ids) await queue.add('a', 1, { delay: 1, jobId });
      await queue.add('a', 1, { delay: 60_000, jobId: 'later' });
      await due();
      expect(await promote(4)).toBe(4);
      expect((await redis.client.smembers(UNIQUE)).sort()).toEqual([...ids.slice(4), 'later']);
      expect(await promote()).toBe(6);
      expect(await redis.client.smembers(UNIQUE)).toEqual(['later']);
      expect(await redis.client.exists(keys.delayedIndex('later'), keys.dedup('later'))).toBe(2);
      expect((await promoted()).every(({ fields }) => fields['u'] === '3600000')).toBe(true);
    });
  });

  test('forgets the id of a removed job, and knows it again when it is added anew', async () => {
    await withQueue(async (queue) => {
      await queue.add('a', 1, { delay: 60_000, jobId: 'x' });
      expect(await queue.remove('x')).toBe(1);
      expect(await redis.client.exists(UNIQUE)).toBe(0);
      await queue.add('a', 2, { delay: 1, jobId: 'x' });
      expect(await redis.client.smembers(UNIQUE)).toEqual(['x']);
      await due();
      expect(await promote()).toBe(1);
      expect(await redis.client.keys(`${keys.prefix}d*`)).toEqual([keys.dedup('x')]);
    });
  });

  test('drops ids of jobs that a third party removed from the set, once the set is empty', async () => {
    await withQueue(async (queue) => {
      await queue.add('a', 1, { delay: 60_000, jobId: 'taken' });
      await redis.client.del(keys.delayed);
      await queue.addBulk([1, 2].map((data) => ({ name: 'a', data, opts: { delay: 1 } })));
      await due();
      expect(await promote(1)).toBe(1);
      expect(await redis.client.smembers(UNIQUE)).toEqual(['taken']);
      expect(await promote(1)).toBe(1);
      expect(await redis.client.exists(UNIQUE)).toBe(0);
    });
  });

  test('promotes a job whose marker is gone', async () => {
    await withQueue(async (queue) => {
      await queue.add('a', 1, { delay: 1, jobId: 'x' });
      await redis.client.del(keys.dedup('x'));
      await due();
      expect(await promote()).toBe(1);
      expect((await promoted())[0]!.fields).not.toHaveProperty('u');
      expect(await redis.client.exists(UNIQUE, keys.delayedIndex('x'), keys.dedup('x'))).toBe(0);
    });
  });

  test('does not change the markers of third-party producers', async () => {
    const job = Buffer.concat([Buffer.from([0x94, 0xa3]), Buffer.from('one'), Buffer.from([0xc4, 0, 0, 0])]);
    const written = member('send', job);
    await redis.client.zadd(keys.delayed, 1, written);
    await redis.client.set(keys.dedup('one'), '1', 'EX', 3_600);
    await redis.client.set(keys.delayedIndex('one'), written, 'EX', 3_600);
    expect(await promote()).toBe(1);
    expect((await promoted())[0]!.fields).toMatchObject({ n: 'send' });
    expect(await redis.client.get(keys.dedup('one'))).toBe('1');
    expect(await redis.client.ttl(keys.dedup('one'))).toBeGreaterThan(3_000);
  });

  test('promotes bytes that are not a job unchanged, and the jobs between them as well', async () => {
    const whole = ['\u{1}', 'x', 'zz', 'abc'];
    const sent = [
      ['', whole[0]],
      ['', whole[1]],
      ['one', member('one', '\u{14}ab').subarray(7).toString()],
      ['', whole[2]],
      ['two', 'no msgpack'],
      ['', whole[3]],
    ] as const;
    let score = 0;
    for (const [name, rest] of sent) {
      await redis.client.zadd(keys.delayed, ++score, name === '' ? Buffer.from(rest!) : member(name, rest));
    }
    expect(await promote()).toBe(sent.length);
    expect((await promoted()).map(({ fields }) => [fields['n'] ?? '', fields['d']])).toEqual(sent);
    expect(await redis.client.zcard(keys.delayed)).toBe(0);
  });
});
