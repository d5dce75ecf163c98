import type { INestApplicationContext, Type } from '@nestjs/common';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { ChasquiModule, ChasquiWorkers, OnJob, Processor, type Job } from '../../lib/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { queueOf, runJob, useApps } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start, startModule } = useApps(redis);
const { block } = docsPage('docs/nest-roles.md', redis);

const later = block<{ Features: Type }>('Lazy-loaded modules');

const workersOf = (app: INestApplicationContext): ChasquiWorkers =>
  app.get(ChasquiWorkers, { strict: false });

describe('by configuration', () => {
  const byRole = block<{ AppModule: Type }>('By configuration');
  const ofQueue = block<{ CacheModule: Type }>('By configuration', 2);

  it.each([
    ['', ['mail', 'video']],
    ['ROLE=api', []],
    ['WORK_ON=video', ['video']],
    ['WORK_ON=mail,video', ['mail', 'video']],
  ] as readonly [string, string[]][])('with %j', async (setting, working) => {
    const [variable = '', value] = setting.split('=');
    if (variable !== '') vi.stubEnv(variable, value);
    const app = await startModule((await byRole()).AppModule);
    expect(workersOf(app).queues).toEqual(working);
    for (const [queue, name] of [
      ['mail', 'send'],
      ['video', 'encode'],
    ] as const) {
      if (working.includes(queue)) expect(await runJob(app, queue, name)).not.toHaveProperty('error');
      else {
        await queueOf(app, queue).add(name, {});
        expect(await queueOf(app, queue).getBacklog()).toMatchObject({ waiting: 1, active: 0 });
      }
    }
  });

  it('a name that is no queue stops the boot', async () => {
    vi.stubEnv('WORK_ON', 'vidoe');
    const { AppModule } = await byRole();
    await expect(startModule(AppModule)).rejects.toMatchObject({
      code: 'CMQ-300',
      message: expect.stringContaining('"video"') as string,
    });
  });

  it('of one queue overrides forRoot', async () => {
    vi.stubEnv('HOSTNAME', 'web-1');
    const { CacheModule } = await ofQueue();
    const app = await start({ imports: [CacheModule] }, { workers: false });
    expect(workersOf(app).queues).toEqual(['cache']);
    await runJob(app, 'cache', 'evict');
    expect(await redis.client.exists('{chasqui:cache-web-1}:stream')).toBe(1);
  });
});

describe('while the application runs', () => {
  interface Service {
    during(work: () => Promise<void>): Promise<void>;
  }
  const maintenance = block<{ Maintenance: Type<Service> }>('While the application runs');

  it('a worker is stopped and started', async () => {
    const { Maintenance } = await maintenance();
    const ran: string[] = [];
    @Processor('mail')
    class MailProcessor {
      @OnJob()
      any(job: Job) {
        ran.push(job.name);
      }
    }
    const app = await start({
      imports: [ChasquiModule.forFeature('mail')],
      providers: [Maintenance, MailProcessor],
    });
    await runJob(app, 'mail', 'before');
    await app.get<Service>(Maintenance).during(async () => {
      expect(workersOf(app).isRunning('mail')).toBe(false);
      await queueOf(app, 'mail').add('during', {});
    });
    expect(workersOf(app).isRunning('mail')).toBe(true);
    await runJob(app, 'mail', 'after');
    expect(ran).toEqual(['before', 'during', 'after']);
    await expect(workersOf(app).stop('mial')).rejects.toMatchObject({ code: 'CMQ-004' });
  });

  it('by force: the signal is aborted, and the job is released', async () => {
    const attempts: number[] = [];
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    @Processor('mail')
    class MailProcessor {
      @OnJob()
      async any(job: Job, signal: AbortSignal) {
        attempts.push(job.attemptsMade);
        begin();
        if (attempts.length === 1) await once(signal, 'abort');
      }
    }
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [MailProcessor] });
    const { id } = await queueOf(app, 'mail').add('send', {});
    await begun;
    await workersOf(app).stop('mail', { force: true });
    await workersOf(app).start('mail');
    await waitForJob(queueOf(app, 'mail'), id, 'completed');
    expect(attempts).toEqual([1, 1]);
  });
});

describe('when you say so', () => {
  const autorun = block<{ Model: Type; PredictProcessor: Type }>('Start a worker by hand');

  it('a worker starts', async () => {
    const { Model, PredictProcessor } = await autorun();
    const imports = [ChasquiModule.forFeature('predict')];
    const app = await start({ imports, providers: [Model, PredictProcessor] });
    expect((await runJob(app, 'predict', 'predict')).result).toBe(6);
  });

  it('and not before', async () => {
    const { Model, PredictProcessor } = await autorun();
    const imports = [ChasquiModule.forFeature('predict')];
    const loaded = vi.spyOn(
      Model.prototype as { onApplicationBootstrap(): Promise<void> },
      'onApplicationBootstrap',
    );
    loaded.mockResolvedValue(undefined);
    const app = await start({ imports, providers: [Model, PredictProcessor] });
    expect(workersOf(app).isRunning('predict')).toBe(false);
    await workersOf(app).start('predict');
    expect(workersOf(app).isRunning('predict')).toBe(true);
  });
});

it('of modules that are loaded later', async () => {
  interface Service {
    enableReports(): Promise<readonly string[]>;
  }
  const { Features } = await later();
  const app = await start({ providers: [Features] });
  expect(workersOf(app).queues).toEqual([]);
  expect(await app.get<Service>(Features).enableReports()).toEqual(['reports']);
  expect(workersOf(app).isRunning('reports')).toBe(true);
});
