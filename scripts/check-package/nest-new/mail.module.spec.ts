import { Test } from '@nestjs/testing';
import { Queue, UnrecoverableError } from 'nestjs-chasqui';
import { Queue as EngineQueue } from 'nestjs-chasqui/engine';
import { ChasquiClient } from 'nestjs-chasqui/microservices';
import { FakeQueue, TestRedis } from 'nestjs-chasqui/testing';
import { type Mail, MailModule, MailProcessor, MailService } from './mail.module';

describe('mails', () => {
  const redis = new TestRedis();
  beforeAll(() => redis.start());
  afterAll(() => redis.stop());

  it('are added', async () => {
    const queue = new FakeQueue<Mail>('mail');
    await queue.add('send', { to: 'ada@example.com' });
    expect(queue.added.map((job) => job.data.to)).toEqual(['ada@example.com']);
  });

  it('are refused without an address', () => {
    expect(() => new MailProcessor().send({ to: 'nobody' })).toThrow(UnrecoverableError);
  });

  it('are sent', async () => {
    process.env['REDIS_URL'] = redis.url;
    const module = await Test.createTestingModule({ imports: [MailModule] }).compile();
    await module.init();
    expect(await module.get(MailService).send('ada@example.com')).toBe('sent to ada@example.com');
    await module.close();
    await redis.expectNoConnections();
  });

  it.each(['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'])(
    'leave no connection where %s of the application throws',
    async (hook) => {
      process.env['REDIS_URL'] = redis.url;
      const failing = {
        provide: 'FAILING',
        useValue: {
          [hook]: () => {
            throw new Error('a hook of the application');
          },
        },
      };
      const module = await Test.createTestingModule({
        imports: [MailModule],
        providers: [failing],
      }).compile();
      await module.init();
      // Nest 11 rejects, Nest 12 logs the error.
      await module.close().catch(() => undefined);
      await redis.expectNoConnections();
    },
  );

  it('share one implementation between the entry points', async () => {
    expect(EngineQueue).toBe(Queue);
    const client = new ChasquiClient({ connection: redis.connection, queue: 'mail' });
    await client.close();
  });
});
