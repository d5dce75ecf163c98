import { expect, test } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { CompletedEvent, JobsOptions } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

const results: unknown[] = [
  { limit: undefined, at: new Date(17) },
  { at: 1_732_630_000_123, none: null, list: [1, 'x', { y: -0.5 }] },
  Buffer.from([1, 2, 3]),
  [NaN, -0, Infinity],
  new Map([['a', new Set([1])]]),
  new URL('https://example.com/'),
  'msgpack:kw==',
  '',
  0,
  false,
  null,
];

test.each([[true], [false]])(
  'completed events tell what getJobResult returns; batched: %s',
  async (eventsBatched) => {
    const { connection } = redis;
    await using events = new QueueEvents('results', { connection });
    const told = new Map<string, CompletedEvent>();
    events.on('completed', (event) => told.set(event.jobId, event));
    await events.waitUntilReady();
    await using queue = new Queue('results', { connection, eventsBatched });
    const jobs = await queue.addBulk(results.map((_, index) => ({ name: 'job', data: index })));
    await using worker = new Worker('results', (job) => results[job.data as number], {
      connection,
      eventsBatched,
      storeResults: true,
    });
    await worker.waitUntilReady();
    await expect.poll(() => told.size, { timeout: 10_000 }).toBe(results.length);
    for (const { id } of jobs) {
      expect(told.get(id)?.returnvalue).toStrictEqual(await queue.getJobResult(id));
    }
    expect(told.get(jobs[0]?.id as string)?.returnvalue).toStrictEqual({ at: new Date(17) });
  },
);

test('schedules carry what jobs carry', async () => {
  const { connection } = redis;
  await using queue = new Queue('repeats', { connection });
  const data = { at: new Date(17), skip: undefined, id: 2 ** 40 };
  await queue.add('tick', data, { repeat: { every: 20 } });
  const bad = queue.add('tick', { user: { photo: new Blob([]) } }, { repeat: { every: 30 } });
  const refused = await bad.catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'CMQ-002' });
  expect((refused as Error).message).toMatch(/at data\.user\.photo,/);
  const seen: unknown[] = [];
  await using worker = new Worker('repeats', (job) => void seen.push(job.data), { connection });
  await worker.waitUntilReady();
  await expect.poll(() => seen[0], { timeout: 10_000 }).toStrictEqual({ at: new Date(17), id: 2 ** 40 });
});

test.each<[string, JobsOptions]>([
  ['at once', {}],
  ['after a delay', { delay: 5 }],
  ['after a retry', { attempts: 2, backoff: 1 }],
])('with dedupTtlMs 0 an id is free as soon as its job has ended: %s', async (_, options) => {
  const { connection } = redis;
  await using queue = new Queue('ids', { connection });
  const opts = { ...options, jobId: 'one', dedupTtlMs: 0 };
  let runs = 0;
  await using worker = new Worker(
    'ids',
    (job) => {
      runs += 1;
      if (job.opts.attempts === 2 && job.attemptsMade === 0 && runs % 2 === 1) throw new Error('not yet');
      if (job.name === 'dies') throw Object.assign(new Error('no'), { name: 'UnrecoverableError' });
    },
    { connection, retry: { jitterMs: 0 } },
  );
  const marker = `{chasqui:ids}:dlid:one`;
  for (const name of ['job', 'job', 'dies', 'job']) {
    const ended = new Promise((resolve) => {
      worker.once('completed', resolve);
      worker.on('failed', (job) => {
        if (job?.name === 'dies') resolve(undefined);
      });
    });
    await queue.add(name, 1, opts);
    await ended;
    expect(await redis.client.exists(marker)).toBe(0);
  }
  await expect(queue.add('job', 1, { jobId: 'x', dedupTtlMs: -1 })).rejects.toMatchObject({
    code: 'CMQ-004',
  });
});

test('with dedupTtlMs 0 an id is free once its job is cancelled or removed, and taken while it waits', async () => {
  await using queue = new Queue('ids', { connection: redis.connection });
  const opts = { jobId: 'one', dedupTtlMs: 0 };
  for (const delay of [0, 60_000]) {
    await queue.add('job', 1, { ...opts, delay });
    await queue.add('job', 2, opts);
    expect(
      (await redis.client.xlen(queue.keys.stream)) + (await redis.client.zcard(queue.keys.delayed)),
    ).toBe(1);
    expect(await queue.remove('one')).toBe(1);
  }
  await queue.add('job', 3, opts);
  expect(await queue.cancel('one')).toBe('removed');
  await queue.add('job', 4, opts);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(1);
});
