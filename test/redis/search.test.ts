import { expect, test } from 'vitest';
import { ulid } from 'ulid';
import { encodeEnvelope } from '../../lib/engine/codec/write-envelope.js';
import { Queue, encodePayload } from '../../lib/engine/index.js';
import type { TestRedis } from '../support/redis.js';
import { useRedis } from '../support/redis.js';

/* Ids without a marker are searched for. These tests count the calls of a search; each call is bounded. */

const redis = useRedis();
const JOBS = 6_000;

/** How many scripts Redis runs during `work`. */
async function scripts({ client }: TestRedis, work: () => Promise<unknown>): Promise<number> {
  await client.config('RESETSTAT');
  await work();
  const stats = await client.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

function newQueue(): Queue {
  return new Queue('jobs', { connection: redis.connection, eventsEnabled: false });
}

async function fill(queue: Queue): Promise<string[]> {
  const jobs = await queue.addBulk(Array.from({ length: JOBS }, (_, n) => ({ name: 'job', data: n })));
  return jobs.map(({ id }) => id);
}

/** Turns each waiting job into a dead letter. */
async function deadLetterAll(queue: Queue): Promise<void> {
  const { stream, dlq } = queue.keys;
  await redis.client.eval(
    `for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
      redis.call('XADD', KEYS[2], '*', 'd', entry[2][2], 'n', entry[2][4], 'source_id', entry[1], 'reason',
        i % 1000 == 0 and 'malformed' or 'retries_exhausted')
    end
    redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)`,
    2,
    stream,
    dlq,
  );
}

test('removes share searches: those of one tick, and those that arrive during a search', async () => {
  await using queue = newQueue();
  const ids = await fill(queue);
  await queue.remove('gone');
  const one = await scripts(redis, () => queue.remove('gone'));
  const many = await scripts(redis, async () => {
    const first = Array.from({ length: 50 }, (_, i) => queue.remove(ids[i * 100] as string));
    const gone = Array.from({ length: 50 }, (_, i) => queue.remove(`gone-${String(i)}`));
    await new Promise((resolve) => setImmediate(resolve));
    const later = Array.from({ length: 50 }, (_, i) => queue.remove(ids[i * 100 + 1] as string));
    const same = queue.remove(ids[1] as string);
    expect(await Promise.all(first)).toEqual(first.map(() => 1));
    expect(await Promise.all(gone)).toEqual(gone.map(() => 0));
    expect(await Promise.all(later)).toEqual(later.map(() => 1));
    await same;
  });
  // Each asks for its marker, and removes its job where it was found; between these, there are two searches of twice the stream
  // at most, with a span or two before.
  expect(many).toBeLessThan(2 * 151 + 6 * one);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(JOBS - 100);
});

test('a job that was just added is found near the time in its id', async () => {
  await using queue = newQueue();
  await fill(queue);
  await queue.remove('gone');
  const whole = await scripts(redis, () => queue.remove('gone'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { id } = await queue.add('job', 'last');
  expect(await scripts(redis, async () => expect(await queue.remove(id)).toBe(1))).toBeLessThan(whole);
});

test('a search that fails rejects its callers, and the next search runs', async () => {
  await using queue = newQueue();
  await redis.client.set(queue.keys.delayed, 'not a set');
  const removes = [queue.remove('a'), queue.remove('b')];
  for (const remove of removes) await expect(remove).rejects.toThrow('WRONGTYPE');
  await redis.client.del(queue.keys.delayed);
  expect(await queue.remove('a')).toBe(0);
});

test('delayed jobs are found without sending the whole set to the client', async () => {
  await using queue = newQueue();
  const data = Buffer.alloc(20_000);
  const jobs = await queue.addBulk(
    Array.from({ length: 300 }, () => ({ name: 'job', data, opts: { delay: 60_000 } })),
  );
  await redis.client.config('RESETSTAT');
  const removed = await Promise.all(jobs.slice(10, 20).map(({ id }) => queue.remove(id)));
  expect(removed).toEqual(removed.map(() => 1));
  const stats = await redis.client.info('stats');
  // Ten members of 20 kB; all of them are 6 MB.
  expect(Number(/total_net_output_bytes:(\d+)/.exec(stats)?.[1])).toBeLessThan(1_000_000);
  expect(await redis.client.zcard(queue.keys.delayed)).toBe(290);
});

test('replaying dead letters by their own ids needs no search, and by job ids it needs one', async () => {
  await using queue = newQueue();
  const jobIds = await fill(queue);
  await deadLetterAll(queue);
  const letters = (await redis.client.xrange(queue.keys.dlq, '-', '+')).map(([id]) => id);
  expect(
    await scripts(redis, async () => {
      expect(await queue.replayDlq({ ids: [letters[4_000], letters[17], '5-5'] as string[] })).toBe(2);
    }),
  ).toBeLessThan(40);
  expect(
    await scripts(redis, async () => {
      expect(await queue.replayDlq({ ids: [jobIds[5_000], jobIds[3], jobIds[17]] as string[] })).toBe(2);
    }),
  ).toBeLessThan(40);
  const entries = await redis.client.xlen(queue.keys.stream);
  expect(entries).toBe(4);
});

test('dropping dead letters by job id or by reason does not read them', async () => {
  await using queue = newQueue();
  const jobIds = await fill(queue);
  await deadLetterAll(queue);
  await redis.client.config('RESETSTAT');
  expect(await queue.dropDlq({ ids: jobIds.slice(0, 10) })).toBe(10);
  expect(await queue.dropDlq({ reason: 'malformed' })).toBe(6);
  expect(await queue.dropDlq({ ids: [jobIds[20] as string], reason: 'malformed' })).toBe(0);
  const stats = await redis.client.info('stats');
  expect(Number(/total_net_output_bytes:(\d+)/.exec(stats)?.[1])).toBeLessThan(100_000);
  expect(await redis.client.xlen(queue.keys.dlq)).toBe(JOBS - 16);
});

test('dead letters are replayed oldest first, in whatever order the ids are given', async () => {
  await using queue = newQueue();
  const jobIds = (await fill(queue)).slice(0, 5);
  await deadLetterAll(queue);
  expect(await queue.replayDlq({ ids: [...jobIds].reverse(), limit: 3 })).toBe(3);
  const left = await queue.peekDlq(2);
  expect(left.map(({ jobId }) => jobId)).toEqual(jobIds.slice(3));
});

test('a job is found even if the clock of its producer is far ahead', async () => {
  await using queue = newQueue();
  // A ULID of the year 2100, and an entry of now.
  const { id } = await queue.add('job', 1);
  const ahead = `3S${id.slice(2)}`;
  const [entry] = await redis.client.xrangeBuffer(queue.keys.stream, '-', '+');
  const d = Buffer.from((entry as [Buffer, Buffer[]])[1][1] as Buffer);
  d.write(ahead, 2);
  await redis.client.xadd(queue.keys.stream, '*', 'd', d);
  await redis.client.xadd(queue.keys.dlq, '*', 'd', d, 'reason', 'retries_exhausted');
  expect(await queue.dropDlq({ ids: [ahead] })).toBe(1);
  expect(await queue.remove(ahead)).toBe(1);
});

test('dead letters and jobs of large batches are found near the times in their ids, whatever else there is', async () => {
  await using queue = newQueue();
  await fill(queue);
  const now = Date.now();
  const redisKeys = queue.keys;
  const jobs: [place: string, at: number, id: string][] = [];
  // A job each second. Entries of the work stream are 3 s younger than their ids, dead letters 10 s.
  const pipeline = redis.client.pipeline();
  pipeline.del(redisKeys.stream);
  for (let i = 0; i < 30_000; i += 1) {
    const at = now - 40_000_000 + i * 1_000;
    for (const [place, key, later] of [
      ['waiting', redisKeys.stream, 3_000],
      ['failed', redisKeys.dlq, 10_000],
    ] as const) {
      const id = ulid(at);
      jobs.push([place, at, id]);
      const d = encodeEnvelope({ id, payload: encodePayload(i), createdAtMs: at, attempt: 0 });
      pipeline.xadd(key, `${String(at + later)}-0`, 'd', d, 'n', 'a', 'reason', 'malformed');
    }
  }
  await pipeline.exec();
  for (const at of [10, 15_000, 29_990]) {
    for (const [place, , id] of jobs.slice(2 * at, 2 * at + 2)) {
      const calls = await scripts(redis, async () => expect(await queue.getJobState(id)).toBe(place));
      // A walk through all would take 75 calls of the stream and 200 of the dead letters.
      expect(calls, `${place} ${String(at)}`).toBeLessThan(place === 'waiting' ? 10 : 65);
      const removes = await scripts(redis, async () => expect(await queue.remove(id)).toBe(1));
      expect(removes, `remove ${place} ${String(at)}`).toBeLessThan(place === 'waiting' ? 12 : 68);
    }
  }
}, 60_000);

test('a job that was delayed and promoted is found at the end of the stream', async () => {
  await using queue = newQueue();
  const ids = await fill(queue);
  await queue.remove('gone');
  const job = await queue.getJob(ids[1_000] as string);
  await job?.moveToDelayed(Date.now() + 60_000);
  await job?.promote();
  const calls = await scripts(redis, async () => job?.updateData(3));
  expect(calls).toBeLessThan(6);
});
