import { Injectable } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import {
  ChasquiModule,
  ChasquiWorkers,
  ConfigError,
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
import { queueOf, runJob, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError } = useApps(redis);

const both = () => ChasquiModule.forFeature('mail', 'sms');

describe('a class with two @Processor', () => {
  @Processor('mail', { concurrency: 2 })
  @Processor('sms', { concurrency: 3 })
  class Sender {
    readonly heard: string[] = [];
    @OnJob('send')
    @Repeat('0 0 1 1 *')
    send(job: Job) {
      return job.queueName;
    }
    @OnJob(/^x/)
    @OnJob(/^x/, 'y')
    other(job: Job) {
      return job.name;
    }
    @OnWorkerEvent('completed')
    @OnWorkerEvent('completed')
    completed(job: Job) {
      this.heard.push(job.queueName);
    }
  }

  it('handles both queues, each with its own worker and options', async () => {
    const app = await start({ imports: [both()], providers: [Sender] });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
    expect(await runJob(app, 'sms', 'send')).toMatchObject({ result: 'sms' });
    expect(await runJob(app, 'sms', 'xyz')).toMatchObject({ result: 'xyz' });
    const workers = app.get(ChasquiWorkers, { strict: false });
    expect(workers.queues).toEqual(['mail', 'sms']);
    expect(workers.queues.map((queue) => workers.get(queue)?.opts.concurrency)).toEqual([2, 3]);
    expect(app.get(Sender).heard).toEqual(['mail', 'sms', 'sms']);
    for (const queue of ['mail', 'sms']) {
      expect(await queueOf(app, queue).getRepeatableJobs()).toMatchObject([{ jobName: 'send' }]);
    }
  });

  it('names each that is not registered', async () => {
    const error = await startError({ imports: [ChasquiModule.forFeature('mail')], providers: [Sender] });
    expect(error).toMatchObject({ code: 'CMQ-300', queue: 'sms' });
    expect(error.message).toContain("@Processor('sms') on Sender (AppModule)");
  });

  it('of one queue does not start', async () => {
    @Processor('mail')
    @Processor('mail')
    class Twice extends Sender {}
    const error = await startError({ imports: [both()], providers: [Twice] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toBe('@Processor on Twice (AppModule): it names the queue "mail" twice.');
  });

  it('has subclasses that handle the same queues, or those of their own decorator', async () => {
    @Injectable()
    class Same extends Sender {}
    const same = await start({ imports: [both()], providers: [Same] });
    expect(await runJob(same, 'sms', 'send')).toMatchObject({ result: 'sms' });
    await same.close();

    @Processor('mail')
    class Other extends Sender {}
    const other = await start({ imports: [both()], providers: [Other] });
    expect(await runJob(other, 'mail', 'send')).toMatchObject({ result: 'mail' });
    expect(other.get(ChasquiWorkers, { strict: false }).queues).toEqual(['mail']);
  });
});

it('a class with two @QueueEventsListener listens to both queues', async () => {
  @QueueEventsListener('mail')
  @QueueEventsListener('sms')
  class Listener {
    readonly heard: string[] = [];
    @OnQueueEvent('completed')
    @OnQueueEvent('completed')
    completed({ name }: CompletedEvent) {
      this.heard.push(name);
    }
  }
  @Processor('mail')
  @Processor('sms')
  class Sender {
    @OnJob()
    send() {}
  }
  const app = await start({ imports: [both()], providers: [Listener, Sender] });
  await queueOf(app, 'mail').add('a', {});
  await queueOf(app, 'sms').add('b', {});
  const { heard } = app.get(Listener);
  await vi.waitFor(() => {
    expect(heard.toSorted()).toEqual(['a', 'b']);
  });
});

it('the same @QueueEventsListener twice does not start', async () => {
  @QueueEventsListener('mail')
  @QueueEventsListener('mail')
  class Listener {}
  const error = await startError({ imports: [both()], providers: [Listener] });
  expect(error.message).toBe(
    '@QueueEventsListener on Listener (AppModule): it names the queue "mail" twice.',
  );
});

describe('a method whose body would never run stops the boot', () => {
  @Processor('mail')
  class Generator {
    @OnJob('send')
    *send() {
      yield 1;
    }
  }
  @Processor('mail')
  class AsyncGenerator {
    @OnJob()
    async *send() {
      yield Promise.resolve(1);
    }
  }
  @Processor('mail')
  class WorkerListener {
    @OnJob()
    send() {}
    @OnWorkerEvent('completed')
    async *completed() {
      yield Promise.resolve(1);
    }
  }
  @QueueEventsListener('mail')
  class QueueListener {
    @OnQueueEvent('completed')
    *completed() {
      yield 1;
    }
  }
  it.each([
    [Generator, '@OnJob on Generator.send (AppModule)'],
    [AsyncGenerator, '@OnJob on AsyncGenerator.send (AppModule)'],
    [WorkerListener, '@OnWorkerEvent on WorkerListener.completed (AppModule)'],
    [QueueListener, '@OnQueueEvent on QueueListener.completed (AppModule)'],
  ])('%o', async (provider, place) => {
    const error = await startError({ imports: [both()], providers: [provider] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain(`${place}: the method is a generator (*)`);
  });

  it('fails the job if it returns a started iterator', async () => {
    @Processor('mail')
    class Delegating {
      @OnJob()
      send() {
        return new Generator().send();
      }
    }
    const app = await start({ imports: [both()], providers: [Delegating] });
    const { error } = await runJob(app, 'mail', 'send', {}, { attempts: 1 });
    expect(error?.message).toContain('returned an iterator');
  });
});

describe('an empty list of job names stops the boot', () => {
  it.each([
    [[], 'the list of names is empty'],
    [[' '], 'no job can have this name'],
    [['x'.repeat(300)], '300 bytes'],
  ])('%j', async (names, problem) => {
    @Processor('mail')
    class Sender {
      @OnJob(names)
      send() {}
    }
    const error = await startError({ imports: [both()], providers: [Sender] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain('@OnJob on Sender.send (AppModule)');
    expect(error.message).toContain(problem);
  });
});

/** What is not called as a method would be left out silently. */
describe.each([
  ['@OnJob', OnJob('send')],
  ['@Repeat', Repeat(1_000)],
  ['@OnWorkerEvent', OnWorkerEvent('completed') as MethodDecorator],
  ['@OnQueueEvent', OnQueueEvent('completed') as MethodDecorator],
])('%s is refused', (name, decorator) => {
  const symbol = Symbol('send');
  class Sender {
    static send() {}
    get send() {
      return this[symbol];
    }
    [symbol]() {}
  }
  const of = (target: object, key: string | symbol) =>
    Object.getOwnPropertyDescriptor(target, key) as PropertyDescriptor;
  const apply = decorator as (target: unknown, key: unknown, descriptor?: PropertyDescriptor) => void;

  it.each<[string, () => void, string]>([
    [
      'a static method',
      () => {
        apply(Sender, 'send', of(Sender, 'send'));
      },
      'Sender.send: it is static',
    ],
    [
      'a getter',
      () => {
        apply(Sender.prototype, 'send', of(Sender.prototype, 'send'));
      },
      'Sender.send: it is a getter or setter',
    ],
    [
      'a property',
      () => {
        apply(Sender.prototype, 'field');
      },
      'Sender.field: it is a property',
    ],
    [
      'a method named by a symbol',
      () => {
        apply(Sender.prototype, symbol, of(Sender.prototype, symbol));
      },
      'Sender.Symbol(send): give the method a string as its name',
    ],
    [
      'a decorator of the standard',
      () => {
        apply(Sender.prototype[symbol], { kind: 'method', name: 'send' });
      },
      'send: this decorator, like the decorators of Nest, needs "experimentalDecorators"',
    ],
  ])('on %s', (_, use, message) => {
    expect(use).toThrow(TypeError);
    expect(use).toThrow(`${name} on ${message}`);
    expect(use).toThrow(expect.objectContaining({ code: new ConfigError('').code }) as Error);
  });
});
