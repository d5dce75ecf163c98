import type { INestApplicationContext, Type, DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { getQueueToken, type Queue } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const apps: INestApplicationContext[] = [];
let lines: string[] = [];

beforeEach(() => {
  vi.stubEnv('REDIS_URL', redis.url);
  lines = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    lines.push(...text.split('\n'));
  });
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function start(module: Type | DynamicModule): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}

it('02-validation: good jobs complete, bad ones are dead-lettered with the reason', async () => {
  const { AppModule } = await import('../../sample/02-validation/src/app.module.js');
  const { MailRunner } = await import('../../sample/02-validation/src/mail.runner.js');
  const app = await start(AppModule);
  await app.get(MailRunner).run();
  expect(lines.filter((line) => line.endsWith(': completed'))).toHaveLength(2);
  expect(lines).toContainEqual(expect.stringContaining('{"sent":"ada@example.com"}'));
  const letters = lines.slice(lines.indexOf('The dead letters:'));
  expect(letters).toContainEqual(
    expect.stringContaining(
      'MailProcessor.send (AppModule): to must be an email; subject should not be empty',
    ),
  );
  expect(letters).toContainEqual(
    expect.stringContaining('Job refused by a guard of MailProcessor.send (AppModule)'),
  );
});

it('03-schedules: each slot is run once by two replicas', async () => {
  const { AppModule } = await import('../../sample/03-schedules/src/app.module.js');
  const { ReportProcessor } = await import('../../sample/03-schedules/src/report.processor.js');
  const [one, two] = [await start(AppModule), await start(AppModule)];
  await Promise.race([one.get(ReportProcessor).polls(3), two.get(ReportProcessor).polls(3)]);
  const polls = lines.filter((line) => line.startsWith('poll feed: '));
  expect(polls.length).toBeGreaterThanOrEqual(3);
  expect(new Set(polls).size).toBe(polls.length);
  const reports = one.get<Queue>(getQueueToken('reports'), { strict: false });
  expect((await reports.getRepeatableJobs()).map(({ key }) => key).sort()).toEqual([
    '@Repeat:digest',
    '@Repeat:poll',
  ]);
});

it('04-roles: the producer gets what the worker returns', async () => {
  const { AppModule } = await import('../../sample/04-roles/src/app.module.js');
  const { OrderService } = await import('../../sample/04-roles/src/order.service.js');
  const producer = await start(AppModule.as('producer'));
  const placed = producer.get(OrderService).place([{ item: 'bread', count: 2 }]);
  await start(AppModule.as('worker'));
  expect(await placed).toEqual([{ text: '2 × bread', pid: process.pid }]);
});
