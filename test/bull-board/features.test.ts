import { setTimeout as delay } from 'node:timers/promises';
import { appRoutes } from '@bull-board/api/dist/routes.js';
import { describe, expect, test } from 'vitest';
import { ChasquiModule, type Queue } from '../../lib/index.js';
import { Latch } from '../redis/contract/kit.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import { CHANGES } from './support/changes.js';
import { useBoards, type Answer, type BoardApp, type ShownQueue } from './support/boards.js';

const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);

const API = '/queues/api/queues/mail';

async function start(trackJobs = true): Promise<{ app: BoardApp; queue: Queue; change: Change }> {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs });
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  const change: Change = (path, body, method = 'PUT') => app.call(method, `${API}/${path}`, body);
  return { app, queue: app.queue('mail'), change };
}
type Change = (path: string, body?: unknown, method?: string) => Promise<Answer>;

async function list(app: BoardApp, status = '', page = 1): Promise<ShownQueue> {
  const path = `/queues/api/queues?activeQueue=mail&status=${status}&page=${String(page)}`;
  return (await app.call('GET', path)).body.queues[0]!;
}

/** Runs jobs until so many have ended. */
async function runJobs(queue: Queue, ends: number): Promise<void> {
  const worker = workers.start(
    ({ name }) => (name === 'fails' ? Promise.reject(new Error('no')) : Promise.resolve(name)),
    { retry: { initialBackoffMs: 1, jitterMs: 0 } },
  );
  await expect.poll(() => queue.getJobCountByTypes('completed', 'failed'), { timeout: 8_000 }).toBe(ends);
  await worker.close();
}

test('the changes of the read-only test are all that Bull Board has', () => {
  const known = CHANGES.map(([method, path]) => `${method} ${path.replace(/^job\//, ':jobId/')}`);
  const routes = appRoutes.api.flatMap(({ method, route }) =>
    [method].flat().flatMap((one) => [route].flat().map((path) => `${one.toUpperCase()} ${path}`)),
  );
  const changes = routes.filter((route) => !route.startsWith('GET '));
  const tried = new Set(
    changes.map(
      (route) =>
        known.find((one) => {
          const pattern = route
            .replace('/api/queues/:queueName/', '')
            .replaceAll(/:(queueStatus|schedulerId)/g, '[^/]+');
          return new RegExp(`^${pattern}$`).test(one);
        }) ?? route,
    ),
  );
  // These two are about all queues, and are tried apart.
  expect([...tried].filter((route) => !known.includes(route))).toEqual([
    'PUT /api/queues/pause',
    'PUT /api/queues/resume',
  ]);
});

describe('a job', () => {
  test('gets another priority, and none; an active one is refused with the reason', async () => {
    const { app, queue, change } = await start();
    await queue.add('a', 1, { jobId: 'x' });
    expect((await change('x/priority', { priority: 7 }, 'PATCH')).status).toBe(200);
    expect((await list(app, 'prioritized')).jobs).toMatchObject([{ id: 'x', priority: 7 }]);
    expect((await change('x/priority', { priority: 0 }, 'PATCH')).status).toBe(200);
    expect((await list(app, 'waiting')).jobs).toMatchObject([{ id: 'x' }]);
    expect((await change('x/priority', { priority: -1 }, 'PATCH')).status).toBe(400);
    const latch = new Latch();
    const worker = workers.start(() => latch.opened);
    await expect.poll(() => queue.getActiveCount()).toBe(1);
    const refused = await change('x/priority', { priority: 7 }, 'PATCH');
    expect(refused.status).toBe(409);
    expect(refused.body.message).toContain('job x of queue "mail" is active');
    latch.open();
    await worker.close();
  });

  test('shows its group and its deduplication id', async () => {
    const { app, queue } = await start();
    await queue.add('a', 1, { group: { id: 'tenant <b>7</b>' } });
    await queue.add('b', 1, { deduplication: { id: 'once <i>' }, delay: 60_000 });
    const { jobs, counts } = await list(app);
    expect(counts).toMatchObject({ waiting: 1, delayed: 1 });
    expect(jobs).toMatchObject([{ name: 'a', groupId: 'tenant <b>7</b>' }, { deduplicationId: 'once <i>' }]);
  });

  test('has no flow, and no children', async () => {
    const { app, queue, change } = await start();
    await queue.add('a', 1, { jobId: 'x' });
    const flow = await app.call('GET', `${API}/x/flow`);
    expect(flow.status).toBe(200);
    expect(flow.body).toMatchObject({ isFlowNode: false });
    const refused = await change('x/remove-unprocessed-children');
    expect(refused.status).toBe(400);
    expect(refused.body.error.key).toBe('ERRORS.JOB_UNPROCESSED_CHILDREN_NOT_SUPPORTED');
  });
});

describe('a queue', () => {
  test('gets a global concurrency, and none', async () => {
    const { app, queue, change } = await start();
    expect(await list(app)).toMatchObject({ globalConcurrency: null });
    expect((await change('concurrency', { concurrency: 3 })).status).toBe(200);
    expect(await queue.getGlobalConcurrency()).toBe(3);
    expect(await list(app)).toMatchObject({ globalConcurrency: 3 });
    expect((await change('concurrency', { concurrency: 0 })).status).toBe(200);
    expect(await queue.getGlobalConcurrency()).toBeNull();
    expect((await change('concurrency', { concurrency: 1.5 })).status).toBe(400);
  });

  test('gets a rate limit, and none; a rate limit that holds back jobs is shown, and can be released', async () => {
    const { app, queue, change } = await start();
    const shown = async (): Promise<unknown> => (await app.call('GET', `${API}/rate-limit`)).body;
    expect(await shown()).toEqual({ supported: true, rateLimit: null });
    expect((await change('rate-limit', { max: 2, duration: 60_000 })).status).toBe(200);
    expect(await shown()).toEqual({ supported: true, rateLimit: { max: 2, duration: 60_000 } });
    expect(await list(app)).toMatchObject({ supportsGlobalRateLimit: true, activeRateLimitTtl: 0 });
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'a', data })));
    await runJobs(queue, 2);
    const { activeRateLimitTtl: left } = await list(app);
    expect(left).toBeGreaterThan(30_000);
    // A start leaves the window up to a thousandth of its duration late.
    expect(left).toBeLessThanOrEqual(60_060);
    expect((await change('rate-limit/release')).status).toBe(200);
    expect(await list(app)).toMatchObject({ activeRateLimitTtl: 0 });
    await queue.rateLimit(40_000);
    expect((await list(app)).activeRateLimitTtl).toBeGreaterThan(30_000);
    await change('rate-limit/release');
    expect((await change('rate-limit', { max: null })).status).toBe(200);
    expect(await shown()).toEqual({ supported: true, rateLimit: null });
    const tooLong = await change('rate-limit', { max: 1, duration: 1e12 });
    expect(tooLong.status).toBe(400);
    expect(tooLong.body.message).toContain('at most 2592000000');
    expect((await change('rate-limit', { max: 0, duration: 5 })).status).toBe(400);
  });

  test('promotes all, retries all, and empties', async () => {
    const { queue, change } = await start();
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'a', data, opts: { delay: 60_000 } })));
    expect((await change('promote')).status).toBe(200);
    expect(await queue.getJobCounts('waiting', 'delayed')).toMatchObject({ waiting: 3, delayed: 0 });
    await queue.add('fails', 1, { attempts: 1 });
    await runJobs(queue, 4);
    expect((await change('retry/failed')).body).toEqual({ retried: 1, skipped: 0 });
    expect((await change('retry/completed')).body).toEqual({ retried: 3, skipped: 0 });
    expect(await queue.getJobCounts('waiting', 'failed', 'completed')).toMatchObject({
      waiting: 4,
      failed: 0,
      completed: 0,
    });
    await queue.add('urgent', 1, { priority: 1 });
    await queue.add('grouped', 1, { group: { id: 'g' } });
    await queue.add('later', 1, { delay: 60_000 });
    expect((await change('empty')).status).toBe(200);
    // As in BullMQ, delayed jobs stay.
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, prioritized: 0, delayed: 1 });
  });

  test('cleans what has been there for five seconds', async () => {
    const { queue, change } = await start();
    await queue.add('later', 1, { delay: 600_000 });
    await queue.add('completes', 1);
    await queue.add('fails', 1, { attempts: 1 });
    await runJobs(queue, 2);
    for (const status of ['completed', 'failed', 'delayed']) {
      expect((await change(`clean/${status}`)).status, status).toBe(200);
    }
    expect(await queue.getJobCounts()).toMatchObject({ completed: 1, failed: 1, delayed: 1 });
    await delay(5_100);
    for (const status of ['completed', 'failed', 'delayed']) {
      expect((await change(`clean/${status}`)).status, status).toBe(200);
    }
    expect(await queue.getJobCounts()).toMatchObject({ completed: 0, failed: 0, delayed: 0 });
    expect((await change('clean/nothing')).status).toBe(400);
  }, 20_000);

  test('is obliterated: only while it is paused, and with active jobs only by force', async () => {
    const { queue, change } = await start();
    await queue.add('a', 1);
    const latch = new Latch();
    const worker = workers.start(() => latch.opened);
    await expect.poll(() => queue.getActiveCount()).toBe(1);
    const running = await change('obliterate', {});
    expect(running.status).toBe(400);
    expect(running.body.error.key).toBe('ERRORS.QUEUE_NOT_PAUSED');
    expect((await change('pause')).status).toBe(200);
    const active = await change('obliterate', {});
    expect(active.status).toBe(409);
    expect(active.body.error.key).toBe('ERRORS.QUEUE_HAS_ACTIVE_JOBS');
    expect(await queue.getActiveCount()).toBe(1);
    expect((await change('obliterate', { force: true })).status).toBe(200);
    expect(await queue.getJobCounts()).toMatchObject({ active: 0, waiting: 0 });
    latch.open();
    await worker.close();
  });
});

test('the history of metrics has hours and days, of one queue and of all', async () => {
  const app = await boards.start({
    imports: [ChasquiModule.forFeature('mail', 'orders')],
    root: { workers: false },
  });
  const DAY = 86_400_000;
  const today = Math.floor(Date.now() / DAY) * DAY;
  // As lua/count-ended.lua keeps it: minute → count.
  const write = async (name: string, kind: string, minutes: Record<number, number>): Promise<void> => {
    const known = Object.keys(minutes).map((ms) => Math.floor(Number(ms) / 60_000));
    await redis.client.hset(`${app.queue(name).keys.prefix}metrics:${kind}`, {
      ...Object.fromEntries(
        Object.entries(minutes).map(([ms, count]) => [Math.floor(Number(ms) / 60_000), count]),
      ),
      count: Object.values(minutes).reduce((sum, count) => sum + count, 0),
      first: Math.min(...known),
      last: Math.max(...known),
    });
  };
  await write('mail', 'completed', { [today - DAY]: 3, [today - DAY + 3_600_000]: 4, [today]: 5 });
  await write('mail', 'failed', { [today]: 1 });
  await write('orders', 'completed', { [today - 3 * DAY]: 9, [today]: 10 });
  const history = async (query: string): Promise<unknown> =>
    (
      await app.call(
        'GET',
        `/queues/api/metrics/history?from=${String(today - 5 * DAY)}&to=${String(Date.now())}&${query}`,
      )
    ).body;
  expect(await history('granularity=day')).toEqual({
    completed: [
      { ts: today - 3 * DAY, value: 9 },
      { ts: today - DAY, value: 7 },
      { ts: today, value: 15 },
    ],
    failed: [{ ts: today, value: 1 }],
  });
  expect(await history('granularity=hour&queue=mail&metric=completed')).toEqual({
    completed: [
      { ts: today - DAY, value: 3 },
      { ts: today - DAY + 3_600_000, value: 4 },
      { ts: today, value: 5 },
    ],
  });
  expect(await history('granularity=day&queue=unknown')).toEqual({ completed: [], failed: [] });
  expect((await app.call('GET', '/queues/api/metrics/history?from=5')).status).toBe(400);
});

test('a queue of 20,000 jobs in 1,000 groups opens with as many commands as one of 100 jobs', async () => {
  const { app, queue } = await start(false);
  const fill = async (from: number, to: number): Promise<void> => {
    const jobs = [...Array(to - from).keys()].map((n) => ({
      name: 'a',
      data: from + n,
      opts: { group: { id: `g${String((from + n) % 1_000)}`, priority: n % 3 } },
    }));
    await queue.addBulk(jobs);
  };
  /** How many commands Redis runs for a page, those that scripts call included. */
  const commandsOf = async (status: string, page: number): Promise<number> => {
    await list(app, status, page);
    await redis.client.config('RESETSTAT');
    expect((await list(app, status, page)).jobs).not.toEqual([]);
    return commandsInRedis();
  };
  const commandsInRedis = async (): Promise<number> => {
    const stats = await redis.client.info('commandstats');
    return [...stats.matchAll(/:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  };
  await fill(0, 100);
  const few = { latest: await commandsOf('latest', 1), first: await commandsOf('waiting', 1) };
  const last = await commandsOf('waiting', 10);
  await fill(100, 20_000);
  expect(await commandsOf('latest', 1)).toBeLessThanOrEqual(few.latest + 20);
  expect(await commandsOf('waiting', 1)).toBeLessThanOrEqual(few.first + 20);
  expect(await commandsOf('waiting', 1_000)).toBeLessThanOrEqual(last + 20);
  expect(await commandsOf('waiting', 2_000)).toBeLessThanOrEqual(last + 20);
  // The page of a job asks for it at each poll. Redis keeps no record of such an id, so else this would search the queue.
  const { jobs: shown } = await list(app, 'waiting', 1_000);
  const { id } = shown[0] as { id: string };
  await redis.client.config('RESETSTAT');
  expect((await app.call('GET', `${API}/${id}`)).body).toMatchObject({ job: { id } });
  expect(await commandsInRedis()).toBeLessThan(60);
});

test('the page of a job is right when the job has gone on', async () => {
  const { app, queue } = await start(false);
  const show = async (id: string): Promise<unknown> => (await app.call('GET', `${API}/${id}`)).body;
  const job = await queue.add('fails', 1, { delay: 60_000, attempts: 1 });
  await list(app, 'delayed');
  expect(await show(job.id)).toMatchObject({ status: 'delayed', job: { id: job.id } });
  await (await queue.getJob(job.id))?.promote();
  expect(await show(job.id)).toMatchObject({ status: 'waiting', job: { id: job.id } });
  await runJobs(queue, 1);
  expect(await show(job.id)).toMatchObject({ status: 'failed', job: { id: job.id } });
  expect(await show(job.id)).toMatchObject({ status: 'failed', job: { id: job.id } });
  await queue.replayDlq();
  expect(await show(job.id)).toMatchObject({ status: 'waiting', job: { id: job.id } });
  await queue.remove(job.id);
  expect((await app.call('GET', `${API}/${job.id}`)).status).toBe(404);
});

describe('a page in the middle of a long list', () => {
  const COUNT = 13_000;

  /** Fills the list; the job of index i has the data i. */
  const FILL = {
    waiting: async (queue: Queue): Promise<void> => {
      await queue.addBulk([...Array(COUNT).keys()].map((data) => ({ name: 'a', data })));
    },
    failed: async (queue: Queue): Promise<void> => {
      await FILL.waiting(queue);
      const entries = await redis.client.xrangeBuffer(queue.keys.stream, '-', '+');
      await queue.drain();
      const pipeline = redis.client.pipeline();
      for (const [, fields] of entries) {
        const of = ['reason', 'malformed', 'failed_at', '1700000000000'];
        pipeline.xadd(queue.keys.dlq, '*', ...fields, ...of);
      }
      await pipeline.exec();
    },
  };

  test.each(['waiting', 'failed'] as const)(
    'of %s jobs says so, and the pages beside it go on from it',
    async (status) => {
      const { app, queue } = await start();
      await FILL[status](queue);
      const page = async (number: number): Promise<{ data: unknown[]; isNear: boolean }> => {
        const { jobs, description = '' } = await list(app, status, number);
        return {
          data: jobs.map(({ data }) => data),
          isNear: description.includes('about where its number says'),
        };
      };
      const from = (first: number): number[] => [...Array(10).keys()].map((n) => first - n);
      expect(await page(500)).toEqual({ data: from(COUNT - 1 - 4_990), isNear: false });
      expect(await page(COUNT / 10)).toEqual({ data: from(9), isNear: false });
      expect(await page(COUNT / 10 - 400)).toEqual({ data: from(4_009), isNear: false });
      const middle = await page(650);
      expect(middle.isNear).toBe(true);
      const first = middle.data[0] as number;
      expect(middle.data).toEqual(from(first));
      // About where its number says.
      expect(Math.abs(first - (COUNT - 1 - 6_490))).toBeLessThan(3_000);
      expect((await page(650)).data).toEqual(from(first));
      expect((await page(651)).data).toEqual(from(first - 10));
      expect((await page(652)).data).toEqual(from(first - 20));
      expect((await page(651)).data).toEqual(from(first - 10));
      expect((await page(649)).data).toEqual(from(first + 10));
      expect((await page(648)).data).toEqual(from(first + 20));
      expect((await page(649)).data).toEqual(from(first + 10));
    },
  );

  test('jobs of groups come first', async () => {
    const { app, queue } = await start();
    await FILL.waiting(queue);
    await queue.addBulk(
      [...Array(15).keys()].map((n) => ({ name: `g${String(n)}`, data: n, opts: { group: { id: 'g' } } })),
    );
    const names = async (number: number): Promise<string[]> =>
      (await list(app, 'waiting', number)).jobs.map(({ name }) => name);
    expect(await names(1)).toEqual([...Array(10).keys()].map((n) => `g${String(14 - n)}`));
    expect((await names(2)).filter((name) => name.startsWith('g'))).toHaveLength(5);
    const { jobs, description } = await list(app, 'waiting', 650);
    expect(description).toContain('about where its number says');
    expect(jobs).toHaveLength(10);
    await queue.addBulk(
      [...Array(25).keys()].map((data) => ({ name: `l${String(data)}`, data, opts: { lifo: true } })),
    );
    // Those with lifo run next, so they come last.
    expect(await names(COUNT / 10 + 4)).toEqual([...Array(10).keys()].map((n) => `l${String(15 + n)}`));
    const { counts } = await list(app);
    expect(counts['waiting']).toBe(COUNT + 40);
    const last = await list(app, 'waiting', COUNT / 10 + 1);
    expect(last.jobs.map(({ name }) => name)).toContain('a');
  });
});
