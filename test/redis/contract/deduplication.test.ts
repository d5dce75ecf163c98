import { describe, expect, test } from 'vitest';
import type { DeduplicationOptions, Job, JobsOptions, Queue } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, take, useKit } from './kit.js';

const redis = useKit();

const once = (deduplication: DeduplicationOptions, more: JobsOptions = {}): JobsOptions => ({
  ...more,
  deduplication,
});
const dedupKeys = async (): Promise<string[]> =>
  (await redis.keys()).filter((key) => /}:(dedup|dlid|didx|delayed:unique)/.test(key));
const jobsInRedis = async (): Promise<number> =>
  (await redis.client.xlen(KEYS.stream)) +
  (await redis.client.zcard(KEYS.delayed)) +
  (await redis.client.zcard(`${KEYS.prefix}room`));

describe('simple mode', () => {
  const simple = once({ id: 'house' });

  test.each([
    ['at once', {}],
    ['delayed', { delay: 60_000 }],
    ['with a priority', { priority: 3 }],
  ])('an add %s with an id that is taken returns the job that has it', async (_, more) => {
    const queue = redis.queue();
    const first = await queue.add('paint', 1, { ...simple, ...more });
    const [single, bulk] = await Promise.all([
      redis.queue().add('paint', 2, simple),
      queue.addBulk([
        { name: 'paint', data: 3, opts: simple },
        { name: 'other', data: 4 },
      ]),
    ]);
    expect(first.duplicate).toBe(false);
    expect([single.id, single.duplicate, single.data]).toEqual([first.id, true, 2]);
    expect([bulk[0]?.id, bulk[0]?.duplicate, bulk[1]?.duplicate]).toEqual([first.id, true, false]);
    expect(await jobsInRedis()).toBe(2);
    expect(await queue.getDeduplicationJobId('house')).toBe(first.id);
    expect(first.deduplicationId).toBe('house');
    expect(JSON.parse(JSON.stringify(first))).toMatchObject({ deduplicationId: 'house' });
  });

  test('twice in one bulk, in one tick, and in slices of a large bulk, is one job', async () => {
    const queue = redis.queue();
    const entry = { name: 'a', data: 1, opts: simple };
    const bulk = await queue.addBulk([entry, { name: 'a', data: 1 }, entry]);
    expect(bulk.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
    const tick = await Promise.all([1, 2, 3].map((data) => queue.add('a', data, once({ id: 'tick' }))));
    expect(tick.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
    const large = await queue.addBulk(
      Array.from({ length: 5_000 }, (_, data) => ({ name: 'a', data, opts: once({ id: 'large' }) })),
    );
    expect(large.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(large.map(({ id }) => id)).size).toBe(1);
    expect(await jobsInRedis()).toBe(4);
  });

  test('the id is taken through promotion and retries, and free when the job has completed', async () => {
    const queue = redis.queue();
    const seen: [boolean, string | undefined, string | null][] = [];
    const worker = redis.worker(async (job) => {
      const { duplicate } = await queue.add('a', 1, simple);
      seen.push([duplicate, job.deduplicationId, await queue.getDeduplicationJobId('house')]);
      if (job.attemptsMade < 3) throw new Error('again');
    });
    const completed = next(worker, 'completed');
    const { id } = await queue.add('a', 1, { ...simple, delay: 5, attempts: 3 });
    await completed;
    expect(seen).toEqual([1, 2, 3].map(() => [true, 'house', id]));
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    expect(await dedupKeys()).toEqual([]);
    const again = next(worker, 'completed');
    expect((await queue.add('a', 1, { ...simple, attempts: 1 })).duplicate).toBe(false);
    worker.once('failed', () => undefined);
    await Promise.race([again, next(worker, 'failed')]);
  });

  test('the id is free when the job has failed for good, and a replay takes it again', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    let fails = true;
    const worker = redis.worker(async () => {
      if (fails) throw new Error('no');
      await latch.opened;
    });
    const failed = next(worker, 'deadLettered');
    const first = await queue.add('a', 1, { ...simple, attempts: 1 });
    await failed;
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
    fails = false;
    const active = next(worker, 'active');
    expect(await queue.replayDlq()).toBe(1);
    await active;
    expect((await queue.add('a', 2, simple)).id).toBe(first.id);
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await dedupKeys()).toEqual([]);
  });

  test('a dead letter stays while another job has its id', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => Promise.reject(new Error('no')));
    const failed = next(worker, 'deadLettered');
    const first = await queue.add('a', 1, { ...simple, attempts: 1 });
    await failed;
    await worker.close();
    const second = await queue.add('a', 2, simple);
    expect(second.duplicate).toBe(false);
    expect(await queue.replayDlq()).toBe(0);
    await expect((await queue.getJob(first.id))?.retry()).rejects.toMatchObject({
      code: 'CMQ-107',
      state: 'failed',
      message:
        `retry: job ${first.id} of queue "mail" is failed. Nothing was changed. Job ${second.id} has its deduplication id "house". ` +
        'Wait until that job has ended, remove it, or free the id with queue.removeDeduplicationKey(id). Then try again.',
    });
    await second.remove();
    expect(await queue.replayDlq()).toBe(1);
    expect(await queue.getDeduplicationJobId('house')).toBe(first.id);
  });

  test.each<[string, JobsOptions, (job: Job) => Promise<unknown>]>([
    ['remove', {}, (job) => job.remove()],
    ['remove of a delayed job', { delay: 60_000 }, (job) => job.remove()],
    ['cancel', {}, (job) => redis.queue().cancel(job.id)],
    ['cancel of a delayed job', { delay: 60_000 }, (job) => redis.queue().cancel(job.id)],
    ['remove of a job with a priority', { priority: 3 }, (job) => job.remove()],
    ['cancel of a job with a priority', { priority: 3 }, (job) => redis.queue().cancel(job.id)],
    ['drain of jobs with a priority', { priority: 3 }, () => redis.queue().drain()],
    ['drain', {}, () => redis.queue().drain()],
    ['drain of delayed jobs', { delay: 60_000 }, () => redis.queue().drain(true)],
    ['clean', {}, () => redis.queue().clean(0, 10, 'wait')],
    ['obliterate', {}, () => redis.queue().obliterate()],
    ['obliterate of delayed jobs', { delay: 60_000 }, () => redis.queue().obliterate()],
    ['removeDeduplicationKey', {}, (job) => job.removeDeduplicationKey()],
  ])('%s frees the id', async (_, more, free) => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { ...simple, ...more, timestamp: Date.now() - 1000 });
    await free(job);
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    expect((await redis.keys()).filter((key) => key.includes(':dedup:'))).toEqual([]);
    expect((await queue.add('a', 2, simple)).duplicate).toBe(false);
  });

  test('cancel of a running job frees the id when its handler has ended', async () => {
    const queue = redis.queue();
    const worker = redis.worker(
      (job) =>
        new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(new Error('stop')))),
    );
    const active = next(worker, 'active');
    const job = await queue.add('a', 1, simple);
    await active;
    const failed = next(worker, 'failed');
    await queue.cancel(job.id);
    await failed;
    expect(await dedupKeys()).toEqual([]);
  });

  test('a job that lost its entry, or its marker, holds no id', async () => {
    const queue = redis.queue();
    const lost = await queue.add('a', 1, simple);
    await redis.client.del(KEYS.stream);
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    const second = await queue.add('a', 1, simple);
    expect([second.duplicate, second.id === lost.id]).toEqual([false, false]);
    await redis.client.del(KEYS.dedup(second.id));
    expect((await queue.add('a', 1, simple)).duplicate).toBe(false);
  });

  test('keys of another type say nothing', async () => {
    const queue = redis.queue();
    await redis.client.set(`${KEYS.prefix}dedup:house`, 'text');
    await redis.client.set(`${KEYS.prefix}dedup:parked`, 'text');
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    expect((await queue.add('a', 1, simple)).duplicate).toBe(false);
    expect((await queue.add('a', 1, simple)).duplicate).toBe(true);
  });

  test('ids of any text are told apart', async () => {
    const queue = redis.queue();
    const ids = ['a b', 'a\nb', 'ä', '💥', 'a:b', 'parked', '{x}', '%', 'x'.repeat(512), '0'];
    const jobs = await queue.addBulk(ids.map((id) => ({ name: 'a', data: id, opts: once({ id }) })));
    expect(jobs.filter(({ duplicate }) => duplicate)).toEqual([]);
    const worker = redis.worker(() => undefined);
    await take(worker, 'completed', ids.length);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test('with trackJobs, the id is free when the job has completed, and a retry takes it again', async () => {
    const queue = redis.queue({ trackJobs: true });
    const worker = redis.worker(() => undefined);
    const completed = next(worker, 'completed');
    const job = await queue.add('a', 1, simple);
    await completed;
    await worker.close();
    expect(await queue.getDeduplicationJobId('house')).toBeNull();
    const read = await queue.getJob(job.id);
    expect([read?.deduplicationId, await read?.getState()]).toEqual(['house', 'completed']);
    const second = await queue.add('a', 2, simple);
    await expect(read?.retry('completed')).rejects.toMatchObject({
      code: 'CMQ-107',
      state: 'completed',
      message: expect.stringContaining(`Job ${second.id} has its deduplication id "house".`) as string,
    });
    await queue.retryJobs({ state: 'completed' });
    expect(await read?.getState()).toBe('completed');
    await second.remove();
    await read?.retry('completed');
    expect(await queue.getDeduplicationJobId('house')).toBe(job.id);
  });

  test('a full queue refuses new jobs, and not duplicates', async () => {
    const queue = redis.queue({ maxStreamLen: 1 });
    await queue.add('a', 1, simple);
    expect((await queue.add('a', 2, simple)).duplicate).toBe(true);
    await expect(queue.add('a', 2, once({ id: 'b' }))).rejects.toMatchObject({ code: 'CMQ-006' });
    expect(await queue.getDeduplicationJobId('b')).toBeNull();
  });
});

describe('throttle mode', () => {
  test('the id is taken for the ttl, also after the end of the job', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined);
    const completed = next(worker, 'completed');
    const throttle = once({ id: 'house', ttl: 300 });
    const { id } = await queue.add('a', 1, throttle);
    await completed;
    const second = await queue.add('a', 2, throttle);
    expect([second.id, second.duplicate]).toEqual([id, true]);
    expect(await queue.getDeduplicationJobId('house')).toBe(id);
    await eventually(async () => expect(await queue.getDeduplicationJobId('house')).toBeNull());
    const third = next(worker, 'completed');
    expect((await queue.add('a', 3, throttle)).duplicate).toBe(false);
    await third;
  });

  test('the id is free after the ttl, also while the job runs; its end does not free the id of another job', async () => {
    const queue = redis.queue();
    const first = await queue.add('a', 1, once({ id: 'house', ttl: 20 }));
    await eventually(async () => expect(await queue.getDeduplicationJobId('house')).toBeNull());
    const second = await queue.add('a', 2, once({ id: 'house' }));
    expect(second.duplicate).toBe(false);
    await first.remove();
    expect(await queue.getDeduplicationJobId('house')).toBe(second.id);
    expect(await first.removeDeduplicationKey()).toBe(false);
    expect(await second.removeDeduplicationKey()).toBe(true);
  });

  test('extend starts the ttl anew; without it, a duplicate leaves it as it is', async () => {
    const queue = redis.queue();
    const left = (): Promise<number> => redis.client.pttl(`${KEYS.prefix}dedup:house`);
    await queue.add('a', 1, once({ id: 'house', ttl: 100_000 }));
    await queue.add('a', 2, once({ id: 'house', ttl: 900_000 }));
    expect(await left()).toBeLessThanOrEqual(100_000);
    await queue.add('a', 3, once({ id: 'house', ttl: 500_000, extend: true }));
    expect(await left()).toBeGreaterThan(400_000);
  });

  test('a removed job frees the id before the ttl is over', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, once({ id: 'house', ttl: 100_000 }));
    await job.remove();
    expect((await queue.add('a', 2, once({ id: 'house', ttl: 100_000 }))).duplicate).toBe(false);
  });
});

describe('debounce mode', () => {
  const debounce = once({ id: 'house', ttl: 60_000, extend: true, replace: true }, { delay: 60_000 });

  test('a new job replaces the delayed one', async () => {
    const queue = redis.queue();
    const events = await redis.events();
    const first = await queue.add('a', 1, debounce);
    const removed = next(events, 'removed');
    const met = next(events, 'deduplicated');
    const second = await queue.add('b', 2, debounce);
    expect([second.duplicate, second.id === first.id]).toEqual([false, false]);
    expect((await removed)[0]).toMatchObject({ jobId: first.id, name: 'a', prev: 'delayed' });
    expect((await met)[0]).toMatchObject({
      jobId: second.id,
      name: 'b',
      deduplicationId: 'house',
      deduplicatedJobId: first.id,
    });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    expect(await queue.getDeduplicationJobId('house')).toBe(second.id);
    const [, third] = await queue.addBulk([2, 3].map((data) => ({ name: 'a', data, opts: debounce })));
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    expect(await redis.client.smembers(`${KEYS.prefix}delayed:unique`)).toEqual([third?.id]);
    expect((await queue.getJob(third?.id as string))?.data).toBe(3);
    expect(await queue.getJob(first.id)).toBeUndefined();
  });

  test('the last of many runs, once', async () => {
    const queue = redis.queue();
    const ran: unknown[] = [];
    const worker = redis.worker((job) => ran.push(job.data));
    const drained = next(worker, 'completed');
    const opts = once({ id: 'house', ttl: 300, extend: true, replace: true }, { delay: 300 });
    for (let data = 0; data < 20; data++) await queue.add('a', data, opts);
    await drained;
    expect(ran).toEqual([19]);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test('a job that waits or runs is not replaced', async () => {
    const queue = redis.queue();
    const first = await queue.add('a', 1, debounce);
    await first.promote();
    expect((await queue.add('a', 2, debounce)).id).toBe(first.id);
  });

  test('reschedule changes when the delayed job is due, and keeps the job', async () => {
    const queue = redis.queue();
    const events = await redis.events();
    const ran: unknown[] = [];
    const delayed = take(events, 'delayed', 2);
    const first = await queue.add('a', 1, once({ id: 'house' }, { delay: 600_000 }));
    const worker = redis.worker((job) => ran.push(job.data));
    const completed = next(worker, 'completed');
    const second = await queue.add('a', 2, once({ id: 'house', reschedule: true }, { delay: 100 }));
    expect([second.id, second.duplicate]).toEqual([first.id, true]);
    expect((await delayed)[1]).toMatchObject({ jobId: first.id, delay: 100 });
    await completed;
    expect(ran).toEqual([1]);
    const third = await queue.add('a', 3, once({ id: 'house' }, { delay: 600_000 }));
    const again = next(worker, 'completed');
    await queue.add('a', 4, once({ id: 'house', reschedule: true }));
    await again;
    expect(third.duplicate).toBe(false);
    expect(ran).toEqual([1, 3]);
  });
});

describe('keepLastIfActive', () => {
  const last = once({ id: 'house', keepLastIfActive: true });

  test('keeps the newest of the jobs that come while one is active, and runs it then', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const ran: unknown[] = [];
    let running = 0;
    const worker = redis.worker(
      async (job) => {
        running += 1;
        expect(running).toBe(1);
        ran.push(job.data);
        if (job.data === 1) await latch.opened;
        running -= 1;
      },
      { concurrency: 5 },
    );
    const active = next(worker, 'active');
    const first = await queue.add('a', 1, last);
    await active;
    const added = await Promise.all([2, 3, 4].map((data) => queue.add('a', data, last)));
    expect(added.map(({ id, duplicate }) => [id, duplicate])).toEqual([2, 3, 4].map(() => [first.id, true]));
    expect((await queue.getDelayed()).map(({ data }) => data)).toEqual([4]);
    const both = take(worker, 'completed', 2);
    latch.open();
    await both;
    expect(ran).toEqual([1, 4]);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test.each([
    ['promote', (_: Queue, job: Job) => job.promote()],
    ['promoteJobs', (queue: Queue) => queue.promoteJobs()],
    ['changeDelay', (_: Queue, job: Job) => job.changeDelay(1)],
    ['moveToDelayed', (_: Queue, job: Job) => job.moveToDelayed(Date.now())],
  ])('%s does not start the kept job while the other one is active', async (_, start) => {
    const queue = redis.queue();
    const latch = new Latch();
    const ran: unknown[] = [];
    const worker = redis.worker(
      async ({ data }) => {
        ran.push(data);
        if (data === 1) await latch.opened;
      },
      { concurrency: 5 },
    );
    const active = next(worker, 'active');
    await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, last);
    const [kept] = await queue.getDelayed();
    await start(queue, kept!);
    // A job that comes later, and starts by the same promoter, shows that it has looked.
    const other = next(worker, 'completed');
    await queue.add('other', 9, { delay: 50 });
    await other;
    expect(ran).toEqual([1, 9]);
    await queue.add('a', 3, last);
    const both = take(worker, 'completed', 2);
    latch.open();
    await both;
    expect(ran).toEqual([1, 9, 3]);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test.each([
    ['promote', (_: Queue, job: Job) => job.promote()],
    ['promoteJobs', (queue: Queue) => queue.promoteJobs()],
  ])('%s ends the delay of the kept job', async (_, promote) => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(({ data }) => (data === 1 ? latch.opened : undefined), { concurrency: 5 });
    const active = next(worker, 'active');
    await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, { ...last, delay: 600_000 });
    const [kept] = await queue.getDelayed();
    await promote(queue, kept!);
    const both = take(worker, 'completed', 2);
    latch.open();
    expect((await both).map(({ data }) => data)).toEqual([1, 2]);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test('a kept job that is given a later time starts then', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(({ data }) => (data === 1 ? latch.opened : undefined), { concurrency: 5 });
    const active = next(worker, 'active');
    await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, last);
    const [kept] = await queue.getDelayed();
    await kept!.changeDelay(30_000);
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await queue.getDelayedCount()).toBe(1);
    expect((await queue.getDelayed())[0]!.delay).toBeGreaterThan(20_000);
    await kept!.promote();
    expect((await next(worker, 'completed'))[0].data).toBe(2);
  });

  test('a job that is not active yet is not replaced', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, last);
    await queue.add('a', 2, last);
    expect(await jobsInRedis()).toBe(1);
    const worker = redis.worker(() => undefined);
    expect((await next(worker, 'completed'))[0].data).toBe(1);
  });

  test.each(['fails for good', 'is cancelled', 'fails, and its retry completes'])(
    'runs the kept job when the active one %s',
    async (how) => {
      const queue = redis.queue();
      const latch = new Latch();
      const ran: unknown[] = [];
      const worker = redis.worker(async (job) => {
        ran.push(job.data);
        if (job.data !== 1) return;
        if (how !== 'is cancelled') await latch.opened;
        else await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
        if (how !== 'fails, and its retry completes' || job.attemptsMade === 1) throw new Error('no');
      });
      const active = next(worker, 'active');
      const attempts = how === 'fails for good' ? 1 : 2;
      const first = await queue.add('a', 1, { ...last, attempts });
      await active;
      await queue.add('a', 2, last);
      const completed = take(worker, 'completed', how === 'fails, and its retry completes' ? 2 : 1);
      if (how === 'is cancelled') await queue.cancel(first.id);
      latch.open();
      await completed;
      expect(ran).toEqual(how === 'fails, and its retry completes' ? [1, 1, 2] : [1, 2]);
      await eventually(async () => expect(await dedupKeys()).toEqual([]));
    },
  );

  test('a job that waits for its next attempt counts as active', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => Promise.reject(new Error('no')));
    const failed = next(worker, 'failed');
    const first = await queue.add('a', 1, { ...last, attempts: 2, backoff: 60_000 });
    await failed;
    await eventually(async () => expect(await first.getState()).toBe('delayed'));
    await queue.add('a', 2, last);
    await queue.add('a', 3, last);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(2);
    const completed = next(worker, 'failed');
    await first.remove();
    expect((await completed)[0]?.data).toBe(3);
  });

  test('the delay of the kept job counts from its add', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const active = next(worker, 'active');
    await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, { ...last, delay: 3_600_000 });
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    const [kept] = await queue.getDelayed();
    expect(kept?.delay).toBeGreaterThan(3_590_000);
    expect(await queue.getDeduplicationJobId('house')).toBe(kept?.id);
  });

  test('a kept job whose predecessor ended without a word runs by itself, and not before', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const ran: unknown[] = [];
    const worker = redis.worker(async (job) => {
      ran.push(job.data);
      if (job.data === 1) await latch.opened;
    });
    const active = next(worker, 'active');
    const first = await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, last);
    const [kept] = await queue.getDelayed();
    // Its minute is over while the first job runs.
    await kept?.changeDelay(0);
    await eventually(async () => expect((await queue.getDelayed())[0]?.delay).toBeGreaterThan(50_000));
    await queue.promoteJobs();
    expect(ran).toEqual([1]);
    // What a worker of an earlier version leaves: it frees the id of the job, and does not know of the other one.
    const done = next(worker, 'completed');
    const hash = await redis.client.hgetall(`${KEYS.prefix}dedup:house`);
    await redis.client.hset(`${KEYS.prefix}dedup:house`, 'job', 'gone');
    latch.open();
    await done;
    expect(hash).toMatchObject({ job: first.id, next: kept?.id });
    const completed = next(worker, 'completed');
    await (await queue.getJob(kept?.id as string))?.changeDelay(0);
    await completed;
    expect(ran).toEqual([1, 2]);
    await eventually(async () => expect(await dedupKeys()).toEqual([]));
  });

  test('a kept job that is removed leaves the active one as it is', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const active = next(worker, 'active');
    const first = await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, last);
    await (await queue.getDelayed())[0]?.remove();
    expect(await queue.getDeduplicationJobId('house')).toBe(first.id);
    expect((await redis.keys()).filter((key) => key.endsWith('dedup:parked'))).toEqual([]);
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await dedupKeys()).toEqual([]);
    expect(await jobsInRedis()).toBe(0);
  });

  test('removeDeduplicationKey runs the kept job at once', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker((job) => (job.data === 1 ? latch.opened : undefined), { concurrency: 2 });
    const active = next(worker, 'active');
    await queue.add('a', 1, last);
    await active;
    await queue.add('a', 2, last);
    const completed = next(worker, 'completed');
    expect(await queue.removeDeduplicationKey('house')).toBe(1);
    expect(await queue.removeDeduplicationKey('house')).toBe(0);
    expect((await completed)[0].data).toBe(2);
    const done = next(worker, 'completed');
    latch.open();
    await done;
    expect(await dedupKeys()).toEqual([]);
  });
});

describe('the event deduplicated', () => {
  test.each([
    [1, true],
    [40, true],
    [40, false],
  ])('comes for each of %i duplicates (batched: %s)', async (count, eventsBatched) => {
    const queue = redis.queue({ eventsBatched });
    const events = await redis.events();
    const first = await queue.add('a', 0, once({ id: 'house' }));
    const met = take(events, 'deduplicated', count);
    await queue.addBulk(
      Array.from({ length: count }, (_, data) => ({ name: `n${data}`, data, opts: once({ id: 'house' }) })),
    );
    const seen = (await met) as { jobId: string; name: string }[];
    expect(new Set(seen.map(({ jobId }) => jobId)).size).toBe(count);
    expect(seen.map(({ name }) => name)).toEqual(Array.from({ length: count }, (_, n) => `n${n}`));
    for (const event of seen) {
      expect(event).toMatchObject({ deduplicationId: 'house', deduplicatedJobId: first.id });
    }
  });
});
