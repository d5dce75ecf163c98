import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ChasquiModule, JobRef, OnJob, Processor, type Job } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runsOf, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError } = useApps(redis);

const tenants = (options: object = {}) => ChasquiModule.forFeature({ name: 'tenants', ...options });

/** Counts how many jobs of one tenant run at once, and in which order jobs start. */
abstract class Counting {
  static running = 0;
  static most = 0;
  static started: string[] = [];

  static reset(): void {
    Counting.running = Counting.most = 0;
    Counting.started = [];
  }

  protected async count(job: Job): Promise<void> {
    Counting.started.push(job.groupId ?? '');
    if (job.groupId !== 'acme') return;
    Counting.running += 1;
    Counting.most = Math.max(Counting.most, Counting.running);
    await delay(10);
    Counting.running -= 1;
  }
}

@Processor('tenants', { concurrency: 8, group: { concurrency: 1 } })
class One extends Counting {
  @OnJob('report')
  report(@JobRef() job: Job): Promise<void> {
    return this.count(job);
  }
}

@Processor('tenants', { concurrency: 8, group: { concurrency: 3 } })
class Three extends Counting {
  @OnJob('report')
  report(@JobRef() job: Job): Promise<void> {
    return this.count(job);
  }
}

@Processor('tenants', { concurrency: 8 })
class Silent extends Counting {
  @OnJob('report')
  report(@JobRef() job: Job): Promise<void> {
    return this.count(job);
  }
}

const acme = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: 'report', data: i, opts: { group: { id: 'acme' } } }));

it('@Processor with group: no tenant has more jobs in flight, and the others do not wait for it', async () => {
  Counting.reset();
  const app = await start({ imports: [tenants()], providers: [One] });
  const queue = queueOf(app, 'tenants');
  expect(await queue.getGroupDefaults()).toEqual({ concurrency: 1 });
  const runs = runsOf(app, 'tenants');
  await queue.addBulk(acme(12));
  await queue.add('report', 0, { group: { id: 'bakery' } });
  for (let i = 0; i < 13; i += 1) await runs.next();
  expect(Counting.most).toBe(1);
  expect(Counting.started.indexOf('bakery')).toBeLessThan(4);
});

it('applications that declare different values: the one that started last counts, for all of them', async () => {
  Counting.reset();
  const first = await start({ imports: [tenants()], providers: [One] });
  const queue = queueOf(first, 'tenants');
  const second = await start({ imports: [tenants()], providers: [Three] });
  expect(await queue.getGroupDefaults()).toEqual({ concurrency: 3 });
  // One that declares nothing, and one that declares the same, change nothing.
  await start({ imports: [tenants()], providers: [Silent] });
  await start({ imports: [tenants()], providers: [Three] });
  expect(await queue.getGroupDefaults()).toEqual({ concurrency: 3 });
  await queue.addBulk(acme(24));
  while ((await queue.count()) > 0 || (await queue.getActiveCount()) > 0) await delay(5);
  expect(Counting.started).toHaveLength(24);
  expect(Counting.most).toBeGreaterThan(1);
  expect(Counting.most).toBeLessThanOrEqual(3);
  await second.close();
  await start({ imports: [tenants()], providers: [One] });
  expect(await queue.getGroupDefaults()).toEqual({ concurrency: 1 });
});

it('forFeature declares them for its worker', async () => {
  const group = { limit: { max: 10, duration: 1_000 }, strict: true };
  const app = await start({ imports: [tenants({ workerOptions: { group } })], providers: [Silent] });
  expect(await queueOf(app, 'tenants').getGroupDefaults()).toEqual(group);
});

it('a wrong value is an error at the start that names the option', async () => {
  const error = await startError({
    imports: [tenants({ workerOptions: { group: { concurrency: 0 } } })],
    providers: [Silent],
  });
  expect(error.message).toMatch(/"concurrency" must be a whole number of at least 1, not 0/);
});

@Processor('letters', { concurrency: 8, group: { concurrency: 2 }, limiter: { max: 1_000, duration: 1_000 } })
class Letters {
  static running = 0;
  static most = 0;

  @OnJob('report')
  async report(): Promise<void> {
    Letters.most = Math.max(Letters.most, (Letters.running += 1));
    await delay(10);
    Letters.running -= 1;
  }
}

it('two queues of one application have limits of their own', async () => {
  Counting.reset();
  const letters = ChasquiModule.forFeature({ name: 'letters' });
  const app = await start({ imports: [tenants(), letters], providers: [One, Letters] });
  const queues = ['tenants', 'letters'].map((name) => queueOf(app, name));
  expect(await Promise.all(queues.map((queue) => queue.getGroupDefaults()))).toEqual([
    { concurrency: 1 },
    { concurrency: 2 },
  ]);
  expect(await Promise.all(queues.map((queue) => queue.getGlobalRateLimit()))).toEqual([
    null,
    { max: 1_000, duration: 1_000 },
  ]);
  await queues[0]?.setGroupRateLimit('acme', 500, 1_000);
  expect(await queues[1]?.getGroupRateLimit('acme')).toBeNull();
  // The same tenant in both.
  await Promise.all(queues.map((queue) => queue.addBulk(acme(12))));
  for (const queue of queues)
    while ((await queue.count()) > 0 || (await queue.getActiveCount()) > 0) await delay(5);
  expect([Counting.most, Letters.most]).toEqual([1, 2]);
});
