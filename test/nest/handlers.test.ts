import {
  Controller,
  Inject,
  Injectable,
  Module,
  createParamDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import { EMPTY, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  InjectQueue,
  JobAttempt,
  JobData,
  JobExecutionContext,
  JobId,
  JobRef,
  JobSignal,
  OnJob,
  Processor,
  UnrecoverableError,
  type Job,
  type Queue,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start } = useApps(redis);

const mail = () => ChasquiModule.forFeature('mail');

describe('job names', () => {
  @Processor('mail')
  class MailProcessor {
    @OnJob('send')
    send() {
      return 'send';
    }
    @OnJob('created', ['updated', /^sync\./])
    index() {
      return 'index';
    }
    @OnJob(/^sync\.all$/)
    @OnJob('sync.now')
    all() {
      return 'all';
    }
    @OnJob()
    rest() {
      return 'rest';
    }
  }

  it.each([
    ['send', 'send'],
    ['created', 'index'],
    ['updated', 'index'],
    ['sync.users', 'index'],
    ['sync.now', 'all'],
    ['else', 'rest'],
    ['', 'rest'],
  ])('gives "%s" to the right method', async (name, method) => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', name)).toMatchObject({ result: method });
  });

  it('dead-letters a job that several patterns match, naming the methods', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { error } = await runJob(app, 'mail', 'sync.all');
    expect(error).toMatchObject({ code: 'CMQ-321' });
    expect(error?.message).toContain('MailProcessor.index (AppModule) and MailProcessor.all (AppModule)');
    expect(await queueOf(app, 'mail').peekDlq()).toMatchObject([
      { name: 'sync.all', reason: 'unrecoverable' },
    ]);
  });

  it('dead-letters a job without a handler; the detail lists the handled names and the nearest one', async () => {
    @Processor('mail')
    class Narrow {
      @OnJob('send', /^sync\./)
      send() {
        return 'send';
      }
    }
    const app = await start({ imports: [mail()], providers: [Narrow] });
    const { error } = await runJob(app, 'mail', 'sent', { to: 'ada' }, { attempts: 5 });
    expect(error).toMatchObject({ name: 'UnhandledJobError', code: 'CMQ-320' });
    expect(error).toBeInstanceOf(UnrecoverableError);
    const [letter] = await queueOf(app, 'mail').peekDlq();
    expect(letter).toMatchObject({ name: 'sent', reason: 'unrecoverable', data: { to: 'ada' } });
    expect(letter?.detail).toContain(
      'No handler for the job name "sent" of the queue "mail". Did you mean "send"?',
    );
    expect(letter?.detail).toContain('"send" and /^sync\\./');
  });

  it('is not confused by names of object properties', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', 'constructor')).toMatchObject({ result: 'rest' });
    expect(await runJob(app, 'mail', '__proto__')).toMatchObject({ result: 'rest' });
  });
});

describe('parameters', () => {
  it('are what their decorators say', async () => {
    const Queried = createParamDecorator((key: string, context: ExecutionContext) => {
      const job = JobExecutionContext.create<Record<string, string>>(context).getJob();
      return [key, job.data[key], context.getType()];
    });
    let seen: unknown[] = [];
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      send(
        @JobRef() job: Job,
        @JobData() data: object,
        @JobData('to') to: string,
        @JobData('toString') inherited: unknown,
        @JobId() id: string,
        @JobAttempt() attempt: number,
        @JobSignal() signal: AbortSignal,
        @Queried('to') queried: unknown,
        undecorated: unknown,
      ) {
        seen = [
          job.id === id,
          job.data === data,
          to,
          inherited,
          attempt,
          signal.aborted,
          queried,
          undecorated,
        ];
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { job } = await runJob(app, 'mail', 'send', { to: 'ada' });
    expect(seen).toEqual([true, true, 'ada', undefined, 1, false, ['to', 'ada', 'chasqui'], undefined]);
    expect(job.signal).toBeInstanceOf(AbortSignal);
  });

  it('are the job and the signal if there are no decorators', async () => {
    let seen: unknown[] = [];
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      send(job: Job, signal: AbortSignal) {
        seen = [job.name, signal];
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    await runJob(app, 'mail', 'send');
    expect(seen).toEqual(['send', expect.any(AbortSignal)]);
  });

  it('of an overriding method replace the inherited ones', async () => {
    class Base {
      send(@JobId() first: unknown, @JobId() second: unknown): unknown[] {
        return [first, second];
      }
    }
    @Processor('mail')
    class MailProcessor extends Base {
      @OnJob('send')
      override send(@JobData() first: unknown, @JobAttempt() second: unknown) {
        return [first, second];
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', 'send', 'data')).toMatchObject({ result: ['data', 1] });
  });

  it('cannot stand in a constructor', () => {
    expect(() => {
      class MailProcessor {
        constructor(@JobId() readonly id: string) {}
      }
      return MailProcessor;
    }).toThrow('the constructor of MailProcessor');
  });
});

describe('results', () => {
  @Processor('mail')
  class MailProcessor {
    @OnJob('promise')
    promise() {
      return Promise.resolve(1);
    }
    @OnJob('observable')
    observable() {
      return of(1, 2, 3);
    }
    @OnJob('empty')
    empty() {
      return EMPTY;
    }
  }

  it.each([
    ['promise', 1],
    ['observable', 3],
    ['empty', undefined],
  ])('of a handler that returns: %s', async (name, result) => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const run = await runJob(app, 'mail', name);
    expect(run.error).toBeUndefined();
    expect(run.result).toBe(result);
  });
});

describe('classes', () => {
  it('are found among controllers, values, factories, classes under tokens and base classes', async () => {
    class Base {
      @OnJob('inherited')
      inherited() {
        return this.constructor.name;
      }
    }
    @Controller()
    @Processor('mail')
    class MailController {
      @OnJob('controller')
      handle() {
        return this.constructor.name;
      }
    }
    @Processor('mail')
    class Value {
      constructor(readonly text: string) {}
      @OnJob('value')
      handle() {
        return this.text;
      }
    }
    @Processor('mail')
    class Made {
      constructor(readonly queue: Queue) {}
      @OnJob('factory')
      handle() {
        return this.queue.name;
      }
    }
    @Injectable()
    @Processor('mail')
    class Tokened extends Base {
      @InjectQueue('mail') readonly queue!: Queue;
    }
    const app = await start({
      imports: [mail()],
      controllers: [MailController],
      providers: [
        { provide: 'VALUE', useValue: new Value('a value') },
        { provide: 'ALIAS', useExisting: 'VALUE' },
        { provide: 'FACTORY', inject: ['ChasquiQueue(mail)'], useFactory: (queue: Queue) => new Made(queue) },
        { provide: 'TOKEN', useClass: Tokened },
      ],
    });
    expect(await runJob(app, 'mail', 'controller')).toMatchObject({ result: 'MailController' });
    expect(await runJob(app, 'mail', 'value')).toMatchObject({ result: 'a value' });
    expect(await runJob(app, 'mail', 'factory')).toMatchObject({ result: 'mail' });
    expect(await runJob(app, 'mail', 'inherited')).toMatchObject({ result: 'Tokened' });
  });

  it('of several modules handle one queue with one worker, which has the options of all', async () => {
    @Injectable()
    class Text {
      readonly text = 'sent';
    }
    @Processor('mail', { concurrency: 3 })
    class Sender {
      constructor(@Inject(Text) private readonly text: Text) {}
      @OnJob('send')
      send() {
        return this.text.text;
      }
    }
    @Processor('mail', { concurrency: 3, maxAttempts: 7 })
    class Digester {
      @OnJob('digest')
      digest() {
        return 'digested';
      }
    }
    @Module({ imports: [mail()], providers: [Sender, Text] })
    class SendModule {}
    @Module({ imports: [mail()], providers: [Digester] })
    class DigestModule {}
    const app = await start({ imports: [SendModule, DigestModule] });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent' });
    expect(await runJob(app, 'mail', 'digest')).toMatchObject({ result: 'digested' });
    expect(workerOf(app, 'mail').opts).toMatchObject({ concurrency: 3, maxAttempts: 7 });
    const groups = (await redis.client.xinfo('CONSUMERS', '{chasqui:mail}:stream', 'default')) as unknown[];
    expect(groups).toHaveLength(1);
  });
});
