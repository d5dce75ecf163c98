import {
  Injectable,
  Module,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ChasquiWorkers,
  JobExecutionContext,
  OnJob,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  QueueEventsListener,
  Repeat,
  type CompletedEvent,
  type Job,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start } = useApps(redis);

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  send() {
    return 'sent';
  }
}

const mail = { imports: [ChasquiModule.forFeature('mail')], providers: [MailProcessor] };

/** As an application does it: the module is loaded, and then its processors are asked for. */
async function load(app: INestApplicationContext, module: Type) {
  const loader = app.get(LazyModuleLoader, { strict: false });
  const loaded = await loader.load(() => module, { logger: false });
  return { loaded, queues: await app.get(ChasquiWorkers, { strict: false }).discover() };
}

describe('modules that are loaded while the application runs', () => {
  it('have their queues worked on', async () => {
    const seen: string[] = [];
    @Injectable()
    class Texts {
      readonly text = 'written';
    }
    @Injectable()
    class OnlyReports implements CanActivate {
      canActivate(context: ExecutionContext) {
        return JobExecutionContext.create(context).getJob().name !== 'secret';
      }
    }
    @Processor('reports')
    @UseGuards(OnlyReports)
    class ReportProcessor {
      constructor(private readonly texts: Texts) {}
      @OnJob('write')
      @Repeat({ every: 3_600_000 })
      write() {
        return this.texts.text;
      }
      @OnJob('secret')
      secret() {}
      @OnWorkerEvent('completed')
      completed(job: Job) {
        seen.push(job.name);
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Texts], ReportProcessor);
    @Module({ imports: [ChasquiModule.forFeature('reports')], providers: [ReportProcessor, Texts] })
    class ReportsModule {}

    const app = await start(mail);
    const untouched = workerOf(app, 'mail');
    const { loaded, queues } = await load(app, ReportsModule);
    expect(queues).toEqual(['reports']);
    expect(await runJob(loaded, 'reports', 'write')).toMatchObject({ result: 'written' });
    expect(await runJob(loaded, 'reports', 'secret')).toMatchObject({ error: { code: 'CMQ-323' } });
    expect(seen).toContain('write');
    expect(await queueOf(loaded, 'reports').getRepeatableJobs(10)).toHaveLength(1);
    expect(workerOf(app, 'mail')).toBe(untouched);
    expect((await load(app, ReportsModule)).queues).toEqual([]);
  });

  it('add handlers and listeners to a queue with a worker, after its running jobs have finished', async () => {
    const events = new Set<string>();
    let heard = (): void => {};
    const hear = (line: string): void => {
      events.add(line);
      heard();
    };
    let release = (): void => {};
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => (begun = resolve));
    @Processor('mail')
    class Slow {
      @OnJob('slow')
      async slow() {
        begun();
        await new Promise<void>((resolve) => (release = resolve));
        return 'done';
      }
    }
    @QueueEventsListener('mail')
    class Early {
      @OnQueueEvent('completed')
      completed({ jobId }: CompletedEvent) {
        hear(`early ${jobId}`);
      }
    }
    @Processor('mail')
    class Digests {
      @OnJob('digest')
      digest() {
        return 'digested';
      }
    }
    @QueueEventsListener('mail')
    class Late {
      @OnQueueEvent('completed')
      completed({ jobId }: CompletedEvent) {
        hear(`late ${jobId}`);
      }
    }
    @Module({ providers: [Digests, Late] })
    class DigestsModule {}

    const app = await start({ ...mail, providers: [MailProcessor, Slow, Early] });
    const slow = runJob(app, 'mail', 'slow');
    await running;
    const loaded = load(app, DigestsModule);
    release();
    expect(await slow).toMatchObject({ result: 'done' });
    expect((await loaded).queues).toEqual(['mail']);
    const { job, result } = await runJob(app, 'mail', 'digest');
    expect(result).toBe('digested');
    for (const listener of ['early', 'late']) {
      while (!events.has(`${listener} ${job.id}`)) await new Promise<void>((resolve) => (heard = resolve));
    }
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent' });
  });

  it('leave a worker stopped that was stopped', async () => {
    @Processor('mail')
    class Digests {
      @OnJob('digest')
      digest() {
        return 'digested';
      }
    }
    @Module({ providers: [Digests] })
    class DigestsModule {}
    const app = await start(mail);
    const workers = app.get(ChasquiWorkers, { strict: false });
    await workers.stop('mail');
    expect((await load(app, DigestsModule)).queues).toEqual(['mail']);
    expect(workers.isRunning('mail')).toBe(false);
    await workers.start('mail');
    expect(await runJob(app, 'mail', 'digest')).toMatchObject({ result: 'digested' });
  });

  it('that are wired wrongly change nothing', async () => {
    @Processor('mail')
    class Second {
      @OnJob('send')
      send() {}
    }
    @Module({ providers: [Second] })
    class SecondModule {}
    const app = await start(mail);
    const worker = workerOf(app, 'mail');
    await expect(load(app, SecondModule)).rejects.toMatchObject({ code: 'CMQ-304' });
    expect(workerOf(app, 'mail')).toBe(worker);
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent' });
  });

  it('take nothing up while the application ends', async () => {
    @Processor('reports')
    class Reports {
      @OnJob('write')
      write() {}
    }
    @Module({ imports: [ChasquiModule.forFeature('reports')], providers: [Reports] })
    class ReportsModule {}
    const app = await start(mail);
    const workers = app.get(ChasquiWorkers, { strict: false });
    await app.get(LazyModuleLoader, { strict: false }).load(() => ReportsModule, { logger: false });
    // Both ways round: what began before the end is ended with it.
    const outcomes = await Promise.allSettled([workers.discover(), app.close(), workers.discover()]);
    expect(outcomes[2]).toMatchObject({ value: [] });
    expect(workers.isRunning('reports')).toBe(false);
  });
});
