import { Injectable } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { expect, it, vi } from 'vitest';
import { ChasquiModule, OnJob, Processor, type CompletedEvent, type Job } from '../../lib/index.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const { start } = useApps(redis);

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  send(): string {
    return 'sent';
  }
}

it('connection, queues and workers configured by @nestjs/config', async () => {
  vi.stubEnv('REDIS_PORT', String(redis.port));
  vi.stubEnv('MAIL_CONCURRENCY', '7');
  vi.stubEnv('MAIL_ATTEMPTS', '4');
  const app = await start(
    {
      imports: [
        ConfigModule.forRoot({ ignoreEnvFile: true, isGlobal: true }),
        ChasquiModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: ConfigService) => ({
            connection: { host: '127.0.0.1', port: Number(config.getOrThrow('REDIS_PORT')) },
            workerOptions: { concurrency: Number(config.getOrThrow('MAIL_CONCURRENCY')) },
          }),
        }),
        ChasquiModule.forFeatureAsync({
          name: 'mail',
          inject: [ConfigService],
          useFactory: (config: ConfigService) => ({
            defaultJobOptions: { attempts: Number(config.getOrThrow('MAIL_ATTEMPTS')) },
          }),
        }),
      ],
      providers: [MailProcessor],
    },
    null,
  );
  expect(workerOf(app, 'mail').opts.concurrency).toBe(7);
  expect(queueOf(app, 'mail').opts.defaultJobOptions).toEqual({ attempts: 4 });
  expect(await runJob(app, 'mail', 'send')).not.toHaveProperty('error');
});

it('events on @nestjs/event-emitter, by the names of the documentation', async () => {
  const heard: string[] = [];

  @Injectable()
  class Statistics {
    @OnEvent('chasqui.mail.worker.completed')
    completed(job: Job, result: string): void {
      heard.push(`worker: ${job.name} ${result}`);
    }

    @OnEvent('chasqui.mail.queue.completed')
    announced({ name, attempt }: CompletedEvent): void {
      heard.push(`queue: ${name} ${String(attempt)}`);
    }
  }

  const app = await start(
    {
      imports: [EventEmitterModule.forRoot(), ChasquiModule.forFeature({ name: 'mail' })],
      providers: [MailProcessor, Statistics],
    },
    { eventEmitter: EventEmitter2 },
  );
  await queueOf(app, 'mail').add('send', {});
  await vi.waitFor(() => {
    expect(heard.toSorted()).toEqual(['queue: send 1', 'worker: send sent']);
  });
});
