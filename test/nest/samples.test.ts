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

it('07-operate: every endpoint needs the token, and does what it says', async () => {
  vi.stubEnv('ADMIN_TOKEN', 'of this test');
  const { AppModule } = await import('../../sample/07-operate/src/app.module.js');
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/admin/queues`;
  const call = async (
    method: string,
    path: string,
    token?: string,
    body?: object,
  ): Promise<[number, never]> => {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      'content-type': 'application/json',
    };
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    return [response.status, (await response.json()) as never];
  };
  const schedule = '/mail/schedules/%40Repeat%3Adigest';
  const endpoints: [method: string, path: string][] = [
    ['GET', ''],
    ['GET', '/mail'],
    ['POST', '/mail/pause'],
    ['POST', '/mail/resume'],
    ['GET', '/mail/jobs?state=waiting'],
    ['GET', '/mail/jobs/one'],
    ['POST', '/mail/jobs/one/promote'],
    ['DELETE', '/mail/jobs/one'],
    ['GET', '/mail/dead-letters'],
    ['POST', '/mail/dead-letters/replay'],
    ['POST', `${schedule}/pause`],
    ['POST', `${schedule}/resume`],
    ['POST', `${schedule}/run`],
  ];
  const mail = app.get<Queue>(getQueueToken('mail'), { strict: false });
  await mail.add('send', { to: 'ada@example.com' }, { jobId: 'one', delay: 3_600_000 });
  for (const [method, path] of endpoints) {
    for (const token of [undefined, '', 'of another test']) {
      expect([path, (await call(method, path, token))[0]]).toEqual([path, 403]);
    }
  }
  expect(await mail.isPaused()).toBe(false);
  expect(await mail.getJobCounts('delayed')).toEqual({ delayed: 1 });

  const token = 'of this test';
  expect(await call('GET', '', token)).toEqual([200, ['mail']]);
  expect(await call('POST', '/mail/pause', token)).toEqual([200, { paused: true }]);
  expect(await call('GET', '/mail', token)).toMatchObject([
    200,
    { paused: true, counts: { delayed: 1 }, schedules: [{ key: '@Repeat:digest' }] },
  ]);
  expect(await call('GET', '/mail/jobs/one', token)).toMatchObject([200, { id: 'one', state: 'delayed' }]);
  expect(await call('POST', '/mail/jobs/one/promote', token)).toEqual([200, { promoted: 'one' }]);
  expect(await call('POST', '/mail/jobs/one/promote', token)).toMatchObject([409, { code: 'CMQ-107' }]);
  expect(await call('GET', '/mail/jobs?state=waiting', token)).toMatchObject([200, [{ id: 'one' }]]);
  expect(await call('DELETE', '/mail/jobs/one', token)).toEqual([200, { removed: 'one' }]);
  expect(await call('DELETE', '/mail/jobs/one', token)).toMatchObject([404, {}]);
  expect(await call('POST', `${schedule}/pause`, token)).toEqual([200, { changed: true }]);
  expect(await call('POST', `${schedule}/pause`, token)).toEqual([200, { changed: false }]);
  expect(await call('POST', `${schedule}/run`, token)).toMatchObject([200, { added: true }]);
  expect(await call('GET', '/mail/dead-letters?limit=5&reason=expired', token)).toEqual([
    200,
    { entries: [] },
  ]);
  expect(await call('GET', '/mail/dead-letters?after=x', token)).toMatchObject([400, { code: 'CMQ-109' }]);
  expect(await call('GET', '/mail/dead-letters?resaon=x', token)).toMatchObject([400, { code: 'CMQ-004' }]);
  expect(await call('POST', '/mail/dead-letters/replay', token, { reason: 'expired' })).toEqual([
    200,
    { replayed: 0 },
  ]);
  expect(await call('GET', '/male', token)).toMatchObject([404, {}]);
});
