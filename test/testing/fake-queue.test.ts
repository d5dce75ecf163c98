import { EventEmitter } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  InjectQueue,
  JobData,
  JobRef,
  JobSignal,
  OnJob,
  Processor,
  Queue,
  QueueFullError,
  decodePayload,
  encodePayload,
  getQueueToken,
} from '../../lib/index.js';
import type { Job } from '../../lib/index.js';
import { FakeQueue, fakeQueueProvider, testJob, type AddedJob } from '../../lib/testing/index.js';

interface Welcome {
  to: string;
}

@Injectable()
class SignupService {
  constructor(@InjectQueue('welcome') private readonly welcome: Queue<Welcome>) {}

  async signUp(to: string): Promise<string> {
    const job = await this.welcome.add('send', { to });
    await this.welcome.add('remind', { to }, { delay: 60_000, jobId: `remind:${to}` });
    return job.id;
  }

  leave(to: string): Promise<number> {
    return this.welcome.remove(`remind:${to}`);
  }
}

describe('FakeQueue', () => {
  it.each([
    [{ name: 'a', data: 1, delay: 5 }, 'addBulk: job 1: unknown field "delay". Did you mean "opts.delay"?'],
    [{ name: 'a', data: 1, options: {} }, 'addBulk: job 1: unknown field "options". Did you mean "opts"?'],
    [{ name: 'a', data: 1, opt: {} }, 'addBulk: job 1: unknown field "opt". Did you mean "opts"?'],
    [
      { name: 'a', data: 1, tenant: 1 },
      'addBulk: job 1: unknown field "tenant". A job has the fields name, data and opts.',
    ],
  ])('refuses %j in addBulk, as a queue does', async (job, message) => {
    const jobs = [{ name: 'a', data: 1, delay: undefined }, job];
    const queue = new Queue('welcome', { connection: { host: '127.0.0.1', port: 1, lazyConnect: true } });
    const fake = new FakeQueue('welcome');
    await expect(queue.addBulk(jobs)).rejects.toThrow(message);
    await expect(fake.addBulk(jobs)).rejects.toThrow(message);
    expect(fake.added).toEqual([]);
    await queue.close();
  });

  it('can be injected as a queue, and records what is added', async () => {
    const queue = new FakeQueue<Welcome>('welcome', { defaultJobOptions: { attempts: 5 } });
    expectTypeOf(queue).toExtend<Queue<Welcome>>();
    const id = await new SignupService(queue).signUp('ada@example.com');
    expect(queue).toBeInstanceOf(Queue);
    expect(queue.added).toEqual([
      { id, name: 'send', data: { to: 'ada@example.com' }, opts: { attempts: 5 } },
      {
        id: 'remind:ada@example.com',
        name: 'remind',
        data: { to: 'ada@example.com' },
        opts: { attempts: 5, delay: 60_000, jobId: 'remind:ada@example.com' },
      },
    ]);
    expectTypeOf(queue.added[0]!.data).toEqualTypeOf<Welcome>();
  });

  it('replaces a queue in a module, typed', async () => {
    const module = await Test.createTestingModule({
      providers: [SignupService, fakeQueueProvider<Welcome>('welcome')],
    }).compile();
    await module.get(SignupService).signUp('ada@example.com');
    const queue = module.get<FakeQueue<Welcome>>(getQueueToken('welcome'));
    expect(queue.added.map(({ name }) => name)).toEqual(['send', 'remind']);
    await module.close();
  });

  it('adds a job of one deduplication id once, and replaces a delayed one', async () => {
    const queue = new FakeQueue('welcome');
    const once = { deduplication: { id: 'a' } };
    const first = await queue.add('send', 1, once);
    const second = await queue.add('send', 2, once);
    expect([second.id, second.duplicate]).toEqual([first.id, true]);
    await queue.remove(first.id);
    expect((await queue.add('send', 3, once)).duplicate).toBe(false);
    const debounce = { delay: 5, deduplication: { id: 'b', ttl: 5, extend: true, replace: true } };
    const [third, fourth] = [await queue.add('send', 4, debounce), await queue.add('send', 5, debounce)];
    expect([third.duplicate, fourth.duplicate]).toEqual([false, false]);
    expect(queue.added.map(({ data }) => data)).toEqual([3, 5]);
    await expect(queue.add('send', 6, { jobId: 'x', ...once })).rejects.toMatchObject({ code: 'CMQ-004' });
  });

  it('adds a job of one id once', async () => {
    const queue = new FakeQueue('welcome');
    const first = await queue.addUnique('send', 1, { jobId: 'a' });
    const second = await queue.add('send', 2, { jobId: 'a' });
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    expect(queue.added).toMatchObject([{ id: 'a', data: 1 }]);
    await expect(queue.addUnique('send', 3, {})).rejects.toThrow('addUnique needs opts.jobId');
  });

  it('removes and cancels what was added', async () => {
    const queue = new FakeQueue<Welcome>('welcome');
    const service = new SignupService(queue);
    await service.signUp('ada@example.com');
    expect(await service.leave('ada@example.com')).toBe(1);
    expect(await service.leave('ada@example.com')).toBe(0);
    expect(queue.added.map(({ name }) => name)).toEqual(['send']);
    const [{ id }] = queue.added as [AddedJob];
    expect([await queue.cancel(id), await queue.cancel(id)]).toEqual(['removed', 'gone']);
    expect(queue.added).toEqual([]);
  });

  it('records bulks and schedules', async () => {
    const queue = new FakeQueue('reports');
    const jobs = await queue.addBulk([
      { name: 'a', data: 1 },
      { name: 'b', data: 2, opts: { delay: 5 } },
    ]);
    expect(jobs.map(({ name, delay }) => [name, delay])).toEqual([
      ['a', 0],
      ['b', 5],
    ]);
    const spec = await queue.add('digest', null, { repeat: { pattern: '0 8 * * *' } });
    expect(queue.added.at(-1)).toMatchObject({ id: spec.id, name: 'digest' });
    expect(spec.id).toContain('digest');
  });

  it.each([
    ['a wrong option', () => new FakeQueue('q').add('x', 1, { delya: 5 } as never), /Did you mean "delay"/],
    ['a negative delay', () => new FakeQueue('q').add('x', 1, { delay: -1 }), /delay must be/],
    ['what cannot be encoded', () => new FakeQueue('q').add('x', () => {}), /function/],
    [
      'too large a payload',
      () => new FakeQueue('q', { maxPayloadBytes: 9 }).add('x', 'x'.repeat(10)),
      /maxPayloadBytes is 9/,
    ],
    ['a wrong schedule', () => new FakeQueue('q').add('x', 1, { repeat: { pattern: 'daily' } }), /pattern/],
  ])('refuses %s as the real one does', async (_what, add, message) => {
    await expect(add()).rejects.toThrow(message);
  });

  it('adds all of a bulk or nothing', async () => {
    const queue = new FakeQueue('q');
    await expect(
      queue.addBulk([
        { name: 'a', data: 1 },
        { name: 'b', data: 2, opts: { delay: -1 } },
      ]),
    ).rejects.toThrow('delay');
    expect(queue.added).toEqual([]);
  });

  it('failNext makes the next add fail, once', async () => {
    const queue = new FakeQueue('q');
    queue.failNext(new QueueFullError('q', 10, 10));
    await expect(queue.add('x', 1)).rejects.toMatchObject({ code: 'CMQ-006' });
    await queue.add('x', 2);
    expect(queue.added).toMatchObject([{ data: 2 }]);
    queue.clear();
    expect(queue.added).toEqual([]);
  });
});

type Use = (queue: FakeQueue) => unknown;

/** Every public member of a queue, by what it does on a fake one. */
const WORK: Record<string, Use> = {
  opts: (queue) => queue.opts,
  isClosed: (queue) => queue.isClosed,
  connectionInfo: (queue) => queue.connectionInfo,
  waitUntilReady: (queue) => queue.waitUntilReady(),
  add: (queue) => queue.add('a', 1),
  addUnique: (queue) => queue.addUnique('a', 1, { jobId: 'x' }),
  addBulk: (queue) => queue.addBulk([{ name: 'a', data: 1 }]),
  remove: (queue) => queue.remove('x'),
  cancel: (queue) => queue.cancel('x'),
  removeRepeatableByKey: (queue) => queue.removeRepeatableByKey('x'),
  upsertJobScheduler: (queue) => queue.upsertJobScheduler('x', { every: 1_000 }),
  removeJobScheduler: (queue) => queue.removeJobScheduler('x'),
  pause: (queue) => queue.pause(),
  resume: (queue) => queue.resume(),
  isPaused: (queue) => queue.isPaused(),
  close: (queue) => queue.close(),
};
const NEED_REDIS: Record<string, Use> = {
  peekDlq: (queue) => queue.peekDlq(),
  getDlq: (queue) => queue.getDlq(),
  getDlqHistogram: (queue) => queue.getDlqHistogram(),
  replayDlq: (queue) => queue.replayDlq(),
  dropDlq: (queue) => queue.dropDlq({ all: true }),
  drain: (queue) => queue.drain(),
  drainGroup: (queue) => queue.drainGroup('a'),
  clean: (queue) => queue.clean(0, 0),
  obliterate: (queue) => queue.obliterate(),
  promoteJobs: (queue) => queue.promoteJobs(),
  retryJobs: (queue) => queue.retryJobs(),
  getRepeatableJobs: (queue) => queue.getRepeatableJobs(),
  claimRepeatables: (queue) => queue.claimRepeatables('app', 1),
  getJobScheduler: (queue) => queue.getJobScheduler('x'),
  getJobSchedulers: (queue) => queue.getJobSchedulers(),
  getJobSchedulersCount: (queue) => queue.getJobSchedulersCount(),
  pauseJobScheduler: (queue) => queue.pauseJobScheduler('x'),
  resumeJobScheduler: (queue) => queue.resumeJobScheduler('x'),
  runJobScheduler: (queue) => queue.runJobScheduler('x'),
  getBacklog: (queue) => queue.getBacklog(),
  getMetrics: (queue) => queue.getMetrics('completed'),
  changePause: (queue) => queue.changePause(true),
  readTotals: (queue) => queue.readTotals(),
  readNumbers: (queue) => queue.readNumbers(),
  exportPrometheusMetrics: (queue) => queue.exportPrometheusMetrics(),
  readLimits: (queue) => queue.readLimits(),
  readPage: (queue) => queue.readPage('waiting', { skip: 0, take: 1 }),
  readJob: (queue) => queue.readJob('x'),
  readUnreadable: (queue) => queue.readUnreadable({ kind: 'entry', entryId: '1-0' }),
  removeUnreadable: (queue) => queue.removeUnreadable({ entryId: '1-0' }),
  readServerInfo: (queue) => queue.readServerInfo(),
  rescheduleJobScheduler: (queue) => queue.rescheduleJobScheduler('x', { every: 1_000 }),
  getCountsPerPriority: (queue) => queue.getCountsPerPriority([1]),
  getCountsPerPriorityForGroup: (queue) => queue.getCountsPerPriorityForGroup('g', [1]),
  getGroups: (queue) => queue.getGroups(),
  getGroupsByStatus: (queue) => queue.getGroupsByStatus('paused'),
  getGroupsCount: (queue) => queue.getGroupsCount(),
  getGroupsCountByStatus: (queue) => queue.getGroupsCountByStatus(),
  getGroupsJobsCount: (queue) => queue.getGroupsJobsCount(),
  getGroupJobs: (queue) => queue.getGroupJobs('g'),
  getGroupJobsCount: (queue) => queue.getGroupJobsCount('g'),
  getGroupActiveCount: (queue) => queue.getGroupActiveCount('g'),
  getGroupStatus: (queue) => queue.getGroupStatus('g'),
  setGroupDefaults: (queue) => queue.setGroupDefaults({}),
  getGroupDefaults: (queue) => queue.getGroupDefaults(),
  removeGroupDefaults: (queue) => queue.removeGroupDefaults(),
  pauseGroup: (queue) => queue.pauseGroup('g'),
  resumeGroup: (queue) => queue.resumeGroup('g'),
  setGroupConcurrency: (queue) => queue.setGroupConcurrency('g', 1),
  getGroupConcurrency: (queue) => queue.getGroupConcurrency('g'),
  removeGroupConcurrency: (queue) => queue.removeGroupConcurrency('g'),
  setGroupRateLimit: (queue) => queue.setGroupRateLimit('g', 1, 1),
  getGroupRateLimitTtl: (queue) => queue.getGroupRateLimitTtl('g'),
  getGroupRateLimit: (queue) => queue.getGroupRateLimit('g'),
  removeGroupRateLimit: (queue) => queue.removeGroupRateLimit('g'),
  getGlobalConcurrency: (queue) => queue.getGlobalConcurrency(),
  setGlobalConcurrency: (queue) => queue.setGlobalConcurrency(1),
  removeGlobalConcurrency: (queue) => queue.removeGlobalConcurrency(),
  isMaxed: (queue) => queue.isMaxed(),
  getGlobalRateLimit: (queue) => queue.getGlobalRateLimit(),
  setGlobalRateLimit: (queue) => queue.setGlobalRateLimit(1, 1),
  removeGlobalRateLimit: (queue) => queue.removeGlobalRateLimit(),
  rateLimit: (queue) => queue.rateLimit(1),
  getRateLimitTtl: (queue) => queue.getRateLimitTtl(),
  removeRateLimitKey: (queue) => queue.removeRateLimitKey(),
  getWorkers: (queue) => queue.getWorkers(),
  getWorkersCount: (queue) => queue.getWorkersCount(),
  getJobCounts: (queue) => queue.getJobCounts(),
  getJob: (queue) => queue.getJob('x'),
  getJobState: (queue) => queue.getJobState('x'),
  getJobs: (queue) => queue.getJobs(),
  findJobs: (queue) => queue.findJobs().next(),
  getWaiting: (queue) => queue.getWaiting(),
  getActive: (queue) => queue.getActive(),
  getDelayed: (queue) => queue.getDelayed(),
  getFailed: (queue) => queue.getFailed(),
  getCompleted: (queue) => queue.getCompleted(),
  getPrioritized: (queue) => queue.getPrioritized(),
  getWaitingChildren: (queue) => queue.getWaitingChildren(),
  getJobCountByTypes: (queue) => queue.getJobCountByTypes(),
  count: (queue) => queue.count(),
  getWaitingCount: (queue) => queue.getWaitingCount(),
  getActiveCount: (queue) => queue.getActiveCount(),
  getDelayedCount: (queue) => queue.getDelayedCount(),
  getFailedCount: (queue) => queue.getFailedCount(),
  getCompletedCount: (queue) => queue.getCompletedCount(),
  getPrioritizedCount: (queue) => queue.getPrioritizedCount(),
  getWaitingChildrenCount: (queue) => queue.getWaitingChildrenCount(),
  ping: (queue) => queue.ping(),
  getJobResult: (queue) => queue.getJobResult('x'),
  getJobLogs: (queue) => queue.getJobLogs('x'),
  addJobLog: (queue) => queue.addJobLog('x', 'row'),
  updateJobProgress: (queue) => queue.updateJobProgress('x', 1),
  waitForResult: (queue) => queue.waitForResult('x'),
  getDeduplicationJobId: (queue) => queue.getDeduplicationJobId('x'),
  removeDeduplicationKey: (queue) => queue.removeDeduplicationKey('x'),
};

describe('every public member of a queue', () => {
  it('is in one of the two lists', () => {
    const members = new Set<string>();
    // Queue, and its base classes up to the event emitter of Node.js.
    for (
      let prototype = Queue.prototype as object;
      prototype !== EventEmitter.prototype;
      prototype = Object.getPrototypeOf(prototype) as object
    ) {
      for (const name of Object.getOwnPropertyNames(prototype)) members.add(name);
    }
    for (const hidden of ['constructor', 'core', 'actions']) members.delete(hidden);
    const listed = [WORK, NEED_REDIS].flatMap((list) => Object.keys(list));
    expect(listed.toSorted()).toEqual([...members].toSorted());
  });

  it.each(Object.entries(WORK))('%s works', async (_name, use) => {
    await use(new FakeQueue('q'));
  });

  it.each([
    ...Object.entries(NEED_REDIS).map(([name, use]) => [name, use, `FakeQueue.${name} needs Redis`] as const),
  ])('%s says that it is not supported', async (_name, use, message) => {
    const error = await Promise.resolve(use(new FakeQueue('q'))).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CMQ-100', message: expect.stringContaining(message) as string });
  });
});

describe('FakeQueue, as the real one does,', () => {
  it('keeps a copy of the data at the time of the add', async () => {
    const queue = new FakeQueue<unknown>('q');
    const at = new Date(5);
    const data = { list: [1], none: undefined, at, bytes: Buffer.from('a'), nested: { text: 'before' } };
    const opts = { backoff: { type: 'fixed', delay: 5 } };
    const job = await queue.add('x', data, opts);
    const [spec] = [await queue.add('y', data, { repeat: { every: 1_000 } })];
    await queue.addBulk([{ name: 'z', data }]);
    data.list.push(2);
    data.nested.text = 'after';
    data.bytes[0] = 0;
    opts.backoff.delay = 6;
    const expected = decodePayload(
      encodePayload({ ...data, list: [1], bytes: Buffer.from('a'), nested: { text: 'before' } }),
    );
    expect(queue.added.map((added) => added.data)).toEqual([expected, expected, expected]);
    expect(queue.added[0]?.opts).toEqual({ backoff: { type: 'fixed', delay: 5 } });
    // The returned job has the object itself.
    expect([job.data, spec.data]).toEqual([data, data]);
    expect(job.data).toBe(data);
    expect(job.queue).toBe(queue);
  });

  it('rejects every call after it is closed', async () => {
    const queue = new FakeQueue('q');
    await queue.add('x', 1, { jobId: 'a' });
    await queue.close();
    for (const call of [
      () => queue.add('x', 1),
      () => queue.addBulk([{ name: 'x', data: 1 }]),
      () => queue.addUnique('x', 1, { jobId: 'b' }),
      () => queue.add('x', 1, { repeat: { every: 1_000 } }),
      () => queue.remove('a'),
      () => queue.cancel('a'),
      () => queue.removeRepeatableByKey('a'),
      () => queue.waitUntilReady(),
      () => queue.getBacklog(),
      () => queue.ping(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'CMQ-005', message: 'Queue "q" is closed.' });
    }
    expect(queue.added).toHaveLength(1);
  });

  it('refuses what has no room, whole', async () => {
    const queue = new FakeQueue('q', { maxStreamLen: 2 });
    await queue.add('x', 1);
    await queue.add('x', 1, { delay: 5 });
    const two = [1, 2].map((data) => ({ name: 'x', data }));
    await expect(queue.addBulk(two)).rejects.toMatchObject({ code: 'CMQ-006', length: 1, maxStreamLen: 2 });
    await queue.add('x', 2);
    await expect(queue.add('x', 3)).rejects.toMatchObject({ code: 'CMQ-006' });
    expect(queue.added).toHaveLength(3);
  });

  it.each([
    ['a schedule in a bulk', () => [{ name: 'x', data: 1, opts: { repeat: { every: 5 } } as never }]],
    ['two of one id in a bulk, of which it adds one', undefined],
  ])('treats %s', async (_, bad) => {
    const queue = new FakeQueue('q');
    if (bad) await expect(queue.addBulk(bad())).rejects.toMatchObject({ code: 'CMQ-004' });
    else {
      const jobs = await queue.addBulk([1, 2].map((data) => ({ name: 'x', data, opts: { jobId: 'a' } })));
      expect(jobs.map(({ duplicate }) => duplicate)).toEqual([false, true]);
      expect(queue.added).toMatchObject([{ data: 1 }]);
    }
  });

  it.each([
    ['a schedule that is over', { every: 1_000, endDate: 1 }, /in the past/],
    ['a schedule that never fires', { pattern: '0 0 31 2 *' }, /never fire/],
  ])('refuses %s', async (_, repeat, message) => {
    await expect(new FakeQueue('q').add('x', 1, { repeat })).rejects.toThrow(message);
    await expect(
      new FakeQueue('q', { maxPayloadBytes: 5 }).add('x', 'too large', { repeat: { every: 1_000 } }),
    ).rejects.toMatchObject({ code: 'CMQ-023' });
  });

  it('takes an unchanged schedule for a duplicate, and puts a changed one in its place', async () => {
    const queue = new FakeQueue('q');
    const add = (every: number): Promise<Job> => queue.add('x', 1, { repeat: { every }, repeatJobKey: 'k' });
    expect([
      (await add(1_000)).duplicate,
      (await add(1_000)).duplicate,
      (await add(2_000)).duplicate,
    ]).toEqual([false, true, false]);
    expect(queue.added).toMatchObject([{ id: 'k', opts: { repeat: { every: 2_000 } } }]);
    // A job may have the id that is the key of a schedule.
    expect((await queue.add('x', 1, { jobId: 'k' })).duplicate).toBe(false);
    expect([await queue.removeRepeatableByKey('k'), await queue.removeRepeatableByKey('k')]).toEqual([
      true,
      false,
    ]);
    expect((await add(2_000)).duplicate).toBe(false);
    expect(await queue.remove('k')).toBe(1);
  });

  it.each([['remove'], ['cancel']] as const)('refuses to %s what is no id', async (method) => {
    await expect(new FakeQueue('q')[method](' ')).rejects.toMatchObject({ code: 'CMQ-004' });
  });
});

describe('testJob', () => {
  @Processor('welcome')
  class WelcomeProcessor {
    constructor(@Inject('mailer') private readonly mailer: { sent: string[] }) {}
    @OnJob('send')
    async send(@JobData() mail: Welcome, @JobRef() job: Job, @JobSignal() signal: AbortSignal) {
      signal.throwIfAborted();
      this.mailer.sent.push(`${mail.to} at attempt ${job.attemptsMade}`);
      await job.updateProgress(100);
      return job.queueName;
    }
  }

  it('calls a handler like the method that it is', async () => {
    const mailer = { sent: [] };
    const job = testJob({
      data: { to: 'ada@example.com' },
      name: 'send',
      queueName: 'welcome',
      attemptsMade: 2,
    });
    const processor = new WelcomeProcessor(mailer);
    expect(await processor.send(job.data, job, job.signal)).toBe('welcome');
    expect(mailer.sent).toEqual(['ada@example.com at attempt 2']);
    expect(job.progress).toBe(100);
  });

  it('can be aborted', async () => {
    const aborted = testJob({ data: { to: 'x' }, signal: AbortSignal.abort(new Error('stop')) });
    await expect(
      new WelcomeProcessor({ sent: [] }).send(aborted.data, aborted, aborted.signal),
    ).rejects.toThrow('stop');
  });
});

describe('pause and resume of a fake queue', () => {
  it('are noted, emitted, and forgotten by clear; adds are recorded all the same', async () => {
    const queue = new FakeQueue('mail');
    const heard: string[] = [];
    queue.on('paused', () => heard.push('paused'));
    queue.on('resumed', () => heard.push('resumed'));
    expect(await queue.isPaused()).toBe(false);
    await queue.pause();
    await queue.add('send', 1);
    expect(await queue.isPaused()).toBe(true);
    expect(queue.added).toHaveLength(1);
    await queue.resume();
    expect(await queue.isPaused()).toBe(false);
    await queue.pause();
    queue.clear();
    expect(await queue.isPaused()).toBe(false);
    expect(heard).toEqual(['paused', 'resumed', 'paused']);
    queue.failNext(new Error('down'));
    await expect(queue.pause()).rejects.toThrow('down');
    expect(await queue.isPaused()).toBe(false);
  });
});
