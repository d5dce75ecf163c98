import type { LoggerService } from '@nestjs/common';
import { EventEmitter } from 'node:events';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ChasquiWorkers,
  getQueueToken,
  OnJob,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  QueueEventsListener,
  Repeat,
  type ChasquiModuleOptions,
} from '../../lib/index.js';
import { FakeQueue } from '../../lib/testing/index.js';
import { freePort } from '../../lib/testing/server/free-port.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  @Repeat(60_000)
  send() {}
  @OnWorkerEvent('completed')
  completed() {}
}

@QueueEventsListener('mail')
class MailListener {
  @OnQueueEvent('completed')
  completed() {}
}

async function boot(root: Partial<ChasquiModuleOptions>, fake: FakeQueue | undefined, logs: string[] = []) {
  const logger: LoggerService = { log: () => {}, warn: () => {}, error: (line) => logs.push(String(line)) };
  const builder = Test.createTestingModule({
    imports: [
      // Nobody listens there; the deadline is longer than that of the tests.
      ChasquiModule.forRoot({ connection: { host: '127.0.0.1', port: await freePort() }, ...root }),
      ChasquiModule.forFeature('mail'),
    ],
    providers: [MailProcessor, MailListener, { provide: EventEmitter, useValue: new EventEmitter() }],
  }).setLogger(logger);
  if (fake) builder.overrideProvider(getQueueToken('mail')).useValue(fake);
  return (await builder.compile()).init();
}

describe('a replaced queue has no connection, worker, listener or schedule', () => {
  it.each<[string, Partial<ChasquiModuleOptions>]>([
    ['workers: false', { workers: false }],
    ['workers', {}],
    ['workers by name', { workers: ['mail'] }],
    ['an event emitter', { eventEmitter: EventEmitter }],
  ])('%s', async (_, root) => {
    const fake = new FakeQueue('mail');
    const app = await boot({ connectTimeoutMs: 60_000, ...root }, fake);
    expect(app.get(ChasquiWorkers, { strict: false }).queues).toEqual([]);
    expect(fake.added).toEqual([]);
    await app.close();
  });

  it('and the one beside it is', async () => {
    const builder = Test.createTestingModule({
      imports: [
        ChasquiModule.forRoot({ connection: redis.connection }),
        ChasquiModule.forFeature('mail', 'sms'),
      ],
      providers: [MailProcessor, MailListener],
    });
    builder.overrideProvider(getQueueToken('sms')).useValue(new FakeQueue('sms'));
    const app = await (await builder.compile()).init();
    expect(app.get(ChasquiWorkers, { strict: false }).isRunning('mail')).toBe(true);
    await app.close();
  });
});

it('a boot without Redis logs what it waits for before it fails', async () => {
  const logs: string[] = [];
  const port = await freePort();
  const connection = { host: '127.0.0.1', port, password: 's3cret' };
  const began = performance.now();
  const error: unknown = await boot(
    { connection, workers: false, connectTimeoutMs: 1_500 },
    undefined,
    logs,
  ).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'CMQ-001' });
  expect(performance.now() - began).toBeLessThan(4_000);
  const address = `127.0.0.1:${String(port)}`;
  // The connection reports its outage beside it.
  expect(logs).toContainEqual(
    expect.stringMatching(
      `^CMQ-001: Redis at ${address} has not been reached yet \\(.*ECONNREFUSED.*1500 ms`,
    ),
  );
  expect(logs.join()).not.toContain('s3cret');
});
