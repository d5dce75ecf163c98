import { Injectable, Module, UseGuards, UseInterceptors, UsePipes, type CanActivate } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ConfigError,
  ConnectionError,
  InjectQueue,
  JobData,
  OnJob,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  QueueEventsListener,
  WiringError,
  type Queue,
} from '../../lib/index.js';
import { freePort } from '../../lib/testing/server/free-port.js';
import { useRedis } from '../support/redis.js';
import { useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError, startModule } = useApps(redis);

const mail = () => ChasquiModule.forFeature('mail');

@Processor('mail')
class Sender {
  @OnJob('send')
  send() {}
}

describe('a boot fails', () => {
  it('with a processor of a queue that is not registered', async () => {
    @Processor('mails')
    class Typo {
      @OnJob()
      send() {}
    }
    const error = await startError({ imports: [mail()], providers: [Typo] });
    expect(error).toBeInstanceOf(WiringError);
    expect(error).toMatchObject({ code: 'CMQ-300', queue: 'mails' });
    expect(error.message).toMatch(
      /^@Processor\('mails'\) on Typo \(AppModule\) is for the queue "mails".+"mail"\?/,
    );
  });

  it('with a listener of a queue that is not registered', async () => {
    @QueueEventsListener('other')
    class Listener {}
    const error = await startError({ imports: [mail()], providers: [Listener] });
    expect(error).toMatchObject({ code: 'CMQ-300' });
    expect(error.message).toContain("@QueueEventsListener('other') on Listener (AppModule)");
  });

  it('with a role for a queue that is not registered', async () => {
    const error = await startError({ imports: [mail()], providers: [Sender] }, { workers: ['mails'] });
    expect(error).toMatchObject({ code: 'CMQ-300', queue: 'mails' });
    expect(error.message).toContain('Did you mean "mail"?');
  });

  it('with an injected queue that is not registered', async () => {
    @Injectable()
    class Signup {
      constructor(@InjectQueue('mail') readonly queue: Queue) {}
    }
    const error = await startError({ providers: [Signup] });
    expect(error.message).toContain('Signup');
    expect(error.message).toContain('ChasquiQueue(mail)');
  });

  it('with one queue registered twice with different options', async () => {
    @Module({ imports: [ChasquiModule.forFeature({ name: 'mail', maxStreamLen: 1, queueName: 'x' })] })
    class OneModule {}
    @Module({ imports: [ChasquiModule.forFeature({ name: 'mail', maxStreamLen: 2, queueName: 'x' })] })
    class OtherModule {}
    const error = await startError({ imports: [OneModule, OtherModule] });
    expect(error).toMatchObject({ code: 'CMQ-301', queue: 'mail' });
    expect(error.message).toContain('(they differ in maxStreamLen)');
    expect(error.message).toContain('OneModule and OtherModule');
  });

  it('with one queue under two names', async () => {
    const error = await startError({
      imports: [
        ChasquiModule.forFeature({ name: 'a', queueName: 'mail' }),
        ChasquiModule.forFeature({ name: 'b', queueName: 'mail' }),
      ],
    });
    expect(error).toMatchObject({ code: 'CMQ-301', queue: 'mail' });
    expect(error.message).toContain('under the names "a" and "b"');
  });

  it('with a queue of a connection that is not registered', async () => {
    @Module({ imports: [ChasquiModule.forFeature({ name: 'mail', connectionName: 'slow' })] })
    class MailModule {}
    const error = await startError({ imports: [MailModule] });
    expect(error).toMatchObject({ code: 'CMQ-302', connection: 'slow' });
    expect(error.message).toContain('"mail", registered in MailModule');
    expect(error.message).toContain("forRoot({ name: 'slow', connection: … })");
  });

  it('without forRoot', async () => {
    const error = await startError({ imports: [mail()] }, null);
    expect(error).toMatchObject({ code: 'CMQ-302', connection: 'default' });
    expect(error.message).toContain('forRoot({ connection: … })');
  });

  it('with one connection registered twice', async () => {
    @Module({ imports: [ChasquiModule.forRoot({ connection: redis.connection })] })
    class OneModule {}
    @Module({ imports: [ChasquiModule.forRoot({ connection: redis.connection }), OneModule] })
    class OtherModule {}
    const error = await startModule(OtherModule).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CMQ-303' });
    expect((error as Error).message).toContain('OtherModule and OneModule');
  });

  it('with two handlers for one job name', async () => {
    @Processor('mail')
    class Digester {
      @OnJob('digest', 'send')
      digest() {}
    }
    @Module({ imports: [mail()], providers: [Sender] })
    class SendModule {}
    @Module({ imports: [mail()], providers: [Digester] })
    class DigestModule {}
    const error = await startError({ imports: [SendModule, DigestModule] });
    expect(error).toMatchObject({ code: 'CMQ-304', queue: 'mail' });
    expect(error.message).toContain('the job name "send"');
    expect(error.message).toContain('Digester.digest (DigestModule)');
    expect(error.message).toContain('Sender.send (SendModule)');
  });

  it.each([
    ['pattern', /^a/],
    ['catch-all', []],
  ])('with one %s twice', async (_what, name) => {
    @Processor('mail')
    class Twice {
      @OnJob(name)
      one() {}
      @OnJob(name)
      other() {}
    }
    const error = await startError({ imports: [mail()], providers: [Twice] });
    expect(error).toMatchObject({ code: 'CMQ-304' });
    expect(error.message).toContain('Twice.one (AppModule) and Twice.other (AppModule)');
  });

  it('with one class in two modules', async () => {
    @Module({ imports: [mail()], providers: [Sender] })
    class OneModule {}
    const error = await startError({ imports: [OneModule, mail()], providers: [Sender] });
    expect(error).toMatchObject({ code: 'CMQ-304' });
    expect(error.message).toContain('Sender.send (OneModule)');
    expect(error.message).toContain('Sender.send (AppModule)');
  });

  it('with a processor without a handler', async () => {
    @Processor('mail')
    class Idle {
      @OnWorkerEvent('ready')
      ready() {}
    }
    const error = await startError({ imports: [mail()], providers: [Idle] });
    expect(error).toMatchObject({ code: 'CMQ-305', queue: 'mail' });
    expect(error.message).toContain('Idle (AppModule)');
  });

  it.each([
    ['@OnJob', OnJob('send'), '@Processor'],
    ['@OnWorkerEvent', OnWorkerEvent('failed') as MethodDecorator, '@Processor'],
    ['@OnQueueEvent', OnQueueEvent('failed') as MethodDecorator, '@QueueEventsListener'],
  ])('with %s outside of its class', async (name, decorator, classDecorator) => {
    @Injectable()
    class Misplaced {
      @decorator
      method() {}
    }
    const error = await startError({ providers: [Misplaced] });
    expect(error).toMatchObject({ code: 'CMQ-306' });
    expect(error.message).toContain(
      `${name} on Misplaced.method (AppModule) has no effect: the class has no ${classDecorator}`,
    );
  });

  it('with worker options that contradict each other', async () => {
    @Processor('mail', { concurrency: 1, retry: { jitterMs: 1 } })
    class One {
      @OnJob('one')
      one() {}
    }
    @Processor('mail', { concurrency: 2, retry: { jitterMs: 1 } })
    class Other {
      @OnJob('other')
      other() {}
    }
    const error = await startError({ imports: [mail()], providers: [One, Other] });
    expect(error).toMatchObject({ code: 'CMQ-307', queue: 'mail', option: 'concurrency' });
    expect(error.message).toContain('One (AppModule) has 1 and Other (AppModule) has 2');
  });

  it('with listeners that start at different events', async () => {
    @QueueEventsListener('mail', { lastEventId: '0' })
    class History {
      @OnQueueEvent('waiting')
      waiting() {}
    }
    @QueueEventsListener('mail')
    class Alerts {
      @OnQueueEvent('failed')
      failed() {}
    }
    const error = await startError({ imports: [mail()], providers: [History, Alerts] });
    expect(error).toMatchObject({ code: 'CMQ-307', queue: 'mail', option: 'lastEventId' });
    expect(error.message).toContain("History (AppModule) has '0' and Alerts (AppModule) has '$'");
  });

  it('with an unknown event of @OnWorkerEvent', async () => {
    @Processor('mail')
    class Listening {
      @OnJob()
      handle() {}
      @OnWorkerEvent('complete' as 'completed')
      listen() {}
    }
    const error = await startError({ imports: [mail()], providers: [Listening] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain(
      '@OnWorkerEvent on Listening.listen (AppModule): there is no event "complete"',
    );
    expect(error.message).toContain('Did you mean "completed"?');
  });

  it('with an unknown event of @OnQueueEvent', async () => {
    @QueueEventsListener('mail')
    class Listening {
      @OnQueueEvent('finished' as 'completed')
      listen() {}
    }
    const error = await startError({ imports: [mail()], providers: [Listening] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain(
      '@OnQueueEvent on Listening.listen (AppModule): there is no event "finished"',
    );
    expect(error.message).toContain('Events are waiting, delayed,');
  });

  it('with a queue or a job name that is none', async () => {
    @Processor('')
    class Nameless {
      @OnJob()
      send() {}
    }
    expect(await startError({ providers: [Nameless] })).toMatchObject({ code: 'CMQ-308' });
    @Processor('mail')
    class Numbered {
      @OnJob(7 as unknown as string)
      send() {}
    }
    const error = await startError({ imports: [mail()], providers: [Numbered] });
    expect(error.message).toContain('@OnJob on Numbered.send (AppModule)');
  });

  it('with an enhancer that Nest would leave out', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate() {
        return false;
      }
    }
    const transform = (value: unknown) => value;
    @Injectable()
    class Pipe {
      transform = transform;
    }
    @Processor('mail')
    class OnMethod {
      @OnJob('send')
      @UseGuards(Guard)
      send() {}
    }
    @Processor('mail')
    class OnParameter {
      @OnJob('send')
      send(@JobData(Pipe) _data: unknown) {}
    }
    @Processor('mail')
    @UseGuards({ canActivate: () => true })
    @UseInterceptors({ intercept: (_context, next) => next.handle() })
    class Instances {
      @OnJob('send')
      @UsePipes({ transform })
      send() {}
    }
    for (const [value, enhancer] of [
      [new OnMethod(), 'guard Guard'],
      [new OnParameter(), 'pipe Pipe'],
    ] as const) {
      const error = await startError({ imports: [mail()], providers: [{ provide: 'V', useValue: value }] });
      expect(error).toMatchObject({ code: 'CMQ-309' });
      expect(error.message).toContain(
        `The ${enhancer} on ${value.constructor.name}.send (AppModule) would never run`,
      );
    }
    await start({ imports: [mail()], providers: [{ provide: 'V', useValue: new Instances() }] });
  });

  it('with an unknown option, naming the nearest', async () => {
    const misspelt = { name: 'mail', maxStreamLength: 1 } as never;
    expect((await startError({ imports: [ChasquiModule.forFeature(misspelt)] })).message).toContain(
      'maxStreamLen',
    );
    const typo = { concurency: 1 } as never;
    @Processor('mail', typo)
    class Typo {
      @OnJob()
      send() {}
    }
    const error = await startError({ imports: [mail()], providers: [Typo] });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('Did you mean "concurrency"?');
  });

  it('without options, or without a connection', async () => {
    const nothing = () => undefined as never;
    const root = ChasquiModule.forRootAsync({ useFactory: nothing });
    expect((await startError({ imports: [root] }, null)).message).toContain('forRoot (connection "default")');
    const feature = ChasquiModule.forFeatureAsync({ name: 'mail', useFactory: nothing });
    expect((await startError({ imports: [feature] })).message).toContain('forFeature (queue "mail")');
    for (const options of [undefined, null, 'redis://localhost']) {
      expect(() => ChasquiModule.forRoot(options as never)).toThrow(/forRoot: options must be an object/);
    }
    const unconnected = ChasquiModule.forRoot({} as never);
    const error = await startError({ imports: [unconnected, mail()] }, null);
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toContain('connection');
  });

  it('when Redis cannot be reached; the error has the address and no password', async () => {
    const port = await freePort();
    const error = await startError(
      { imports: [mail()], providers: [Sender] },
      { connection: { host: '127.0.0.1', port, password: 'secret' }, connectTimeoutMs: 200 },
    );
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toContain(`127.0.0.1:${String(port)}`);
    expect(error.message).not.toContain('secret');
  });
});
