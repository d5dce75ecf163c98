import type { INestApplicationContext, Type } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { ChasquiModule, OnJob, Processor } from '../../lib/index.js';
import { recordEvents } from '../../lib/testing/index.js';
import { queueOf, runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start, startModule, logs } = useApps(redis);
const { block } = docsPage('docs/nest-schedules.md', redis);

const schedulesOf = (app: INestApplicationContext, queue: string) => queueOf(app, queue).getRepeatableJobs();
const keysOf = async (app: INestApplicationContext, queue: string): Promise<string[]> =>
  (await schedulesOf(app, queue)).map(({ key }) => key).sort();

describe('run a handler on a schedule', () => {
  const reports = block<{ ReportProcessor: Type }>('Run a handler on a schedule');
  const feeds = block<{ FeedProcessor: Type }>('Run a handler on a schedule', 2);

  it('every process declares the schedules, under their keys', async () => {
    const { ReportProcessor } = await reports();
    const module = () => ({ imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor] });
    const app = await start(module());
    const before = await schedulesOf(app, 'reports');
    expect(Object.fromEntries(before.map(({ key, ...rest }) => [key, rest]))).toMatchObject({
      '@Repeat:digest': { jobName: 'digest', pattern: '0 8 * * *', tz: 'Europe/Madrid' },
      '@Repeat:fast': { jobName: 'poll', every: 60_000 },
      '@Repeat:slow': { jobName: 'poll', every: 3_600_000 },
    });
    await start(module());
    expect(await schedulesOf(app, 'reports')).toEqual(before);
    const { result, job } = await runJob(app, 'reports', 'poll', { depth: 1 });
    expect([result, job.data]).toEqual([1, { depth: 1 }]);
  });

  it('each slot runs once in one of two processes, and the id contains the slot', async () => {
    const { FeedProcessor } = await feeds();
    const imports = () => [ChasquiModule.forFeature('feeds')];
    const fast = { workerOptions: { schedulerTickMs: 10 } };
    const apps = [
      await start({ imports: imports(), providers: [FeedProcessor] }, fast),
      await start({ imports: imports(), providers: [FeedProcessor] }, fast),
    ];
    const results: unknown[] = [];
    await new Promise<void>((resolve) => {
      for (const app of apps)
        workerOf(app, 'feeds').on('completed', (_job, result) => {
          if (results.push(result) === 2) resolve();
        });
    });
    expect(new Set(results).size).toBe(2);
    for (const id of results) expect(id).toMatch(/^repeat:@Repeat:poll:\d{13}$/);
  });
});

describe('the first job at once', () => {
  const quarters = block<{ FeedProcessor: Type }>('Run a handler on a schedule', 3);

  it('comes once, however many processes start', async () => {
    const { FeedProcessor } = await quarters();
    const fast = { workerOptions: { schedulerTickMs: 10 } };
    const boot = () =>
      start({ imports: [ChasquiModule.forFeature('feeds')], providers: [FeedProcessor] }, fast);
    const apps = await Promise.all([boot(), boot(), boot()]);
    await vi.waitFor(async () => {
      expect(await schedulesOf(apps[0], 'feeds')).toMatchObject([{ fired: 1, every: 900_000, offset: 0 }]);
    });
    const [before] = await schedulesOf(apps[0], 'feeds');
    expect(before!.nextFireMs % 900_000).toBe(0);
    const again = await boot();
    expect(await schedulesOf(again, 'feeds')).toEqual([before]);
  });
});

describe('pause a schedule at run time', () => {
  interface Control {
    pause(): Promise<boolean>;
    resume(): Promise<boolean>;
    runNow(): Promise<string>;
  }
  const control = block<{ DigestControl: Type<Control> }>('Pause a schedule at run time');
  const reports = block<{ ReportProcessor: Type }>('Run a handler on a schedule');

  it('stays paused over a restart', async () => {
    const { DigestControl } = await control();
    const { ReportProcessor } = await reports();
    const boot = () =>
      start({
        imports: [ChasquiModule.forFeature('reports')],
        providers: [ReportProcessor, DigestControl],
      });
    const app = await boot();
    const digest = app.get<Control>(DigestControl);
    await using events = await recordEvents(queueOf(app, 'reports'));
    expect([await digest.pause(), await digest.pause()]).toEqual([true, false]);
    const id = await digest.runNow();
    await events.waitFor('completed', ({ jobId }) => jobId === id);
    const next = await boot();
    expect(await queueOf(next, 'reports').getJobScheduler('@Repeat:digest')).toMatchObject({ paused: true });
    expect([await digest.resume(), await digest.resume()]).toEqual([true, false]);
  });
});

describe('disable a schedule', () => {
  const switched = block<{ ReportProcessor: Type }>('Disable a schedule');

  it.each([
    ['', '', ['@Repeat:digest']],
    ['off', 'on', ['@Repeat:poll']],
  ])('DIGEST=%s POLL=%s', async (digest, poll, expected) => {
    vi.stubEnv('DIGEST', digest);
    vi.stubEnv('POLL', poll);
    const { ReportProcessor } = await switched();
    const app = await start({ imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor] });
    expect(await keysOf(app, 'reports')).toEqual(expected);
  });
});

describe('one that is no longer in the code', () => {
  const gone = block<{ AppModule: Type; ReportProcessor: Type }>('Remove a schedule from the code');
  const owned = block<{ AppModule: Type }>('Remove a schedule from the code', 2);
  const reports = block<{ ReportProcessor: Type }>('Run a handler on a schedule');

  async function declareAll(): Promise<void> {
    const { ReportProcessor } = await reports();
    const app = await start({ imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor] });
    const repeat = { repeat: { every: 60_000 }, repeatJobKey: 'by hand' };
    await queueOf(app, 'reports').add('poll', {}, repeat);
    await app.close();
  }

  it('keeps running, with a warning, until it is removed', async () => {
    await declareAll();
    const { ReportProcessor } = await gone();
    const app = await start({ imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor] });
    expect(await keysOf(app, 'reports')).toEqual([
      '@Repeat:digest',
      '@Repeat:fast',
      '@Repeat:slow',
      'by hand',
    ]);
    expect(logs.filter((line) => line.includes('is no longer in the code'))).toHaveLength(3);
    await queueOf(app, 'reports').removeRepeatableByKey('@Repeat:digest');
    expect(await keysOf(app, 'reports')).toEqual(['@Repeat:fast', '@Repeat:slow', 'by hand']);
  });

  it('is removed by the next deployment of the application that declared it', async () => {
    const { ReportProcessor } = await reports();
    const before = await start(
      { imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor] },
      { schedules: { owner: 'reporting', generation: 1 } },
    );
    expect(await schedulesOf(before, 'reports')).toContainEqual(
      expect.objectContaining({ key: '@Repeat:digest', owner: 'reporting' }),
    );
    vi.stubEnv('DEPLOYMENT', '2');
    const after = await startModule((await owned()).AppModule);
    expect(await keysOf(after, 'reports')).toEqual([]);
  });

  it('is removed where that is asked for', async () => {
    await declareAll();
    const app = await startModule((await gone()).AppModule);
    expect(await keysOf(app, 'reports')).toEqual(['by hand']);
  });
});

describe('a few times only', () => {
  interface Service {
    remindThrice(to: string, everyMs: number): Promise<void>;
  }
  const reminders = block<{ Reminders: Type<Service> }>('Limit the number of runs');

  @Processor('mail', { schedulerTickMs: 10 })
  class MailProcessor {
    @OnJob('remind')
    remind() {}
  }

  it('it fires, and is gone', async () => {
    const { Reminders } = await reminders();
    const app = await start({
      imports: [ChasquiModule.forFeature('mail')],
      providers: [Reminders, MailProcessor],
    });
    await using events = await recordEvents(queueOf(app, 'mail'));
    await app.get<Service>(Reminders).remindThrice('ada', 50);
    const slots = new Set<string>();
    await events.waitFor('completed', ({ jobId }) => slots.add(jobId).size === 3);
    expect(await keysOf(app, 'mail')).toEqual([]);
  });
});
