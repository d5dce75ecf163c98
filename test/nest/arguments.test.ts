import { Module } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ChasquiQueues,
  ChasquiWorkers,
  OnJob,
  Processor,
  QueueEventsListener,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { useApps } from './support/apps.js';

const redis = useRedis();
const { start, startModule } = useApps(redis);

@Processor('mail')
class Sender {
  @OnJob('send')
  send() {}
}

const imports = () => [ChasquiModule.forFeature('mail')];

/** What a call that throws, or whose promise rejects, gives the user to read. */
async function refusal(call: () => unknown): Promise<string> {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => expect.fail(`accepted: ${String(call)}`),
      (thrown: unknown) => thrown,
    );
  expect(error).toMatchObject({ code: 'CMQ-004' });
  return (error as Error).message;
}

describe('options of forRoot', () => {
  it.each([
    [{ workers: 'false' }, '"workers" must be true, false or an array of queue names'],
    [{ workers: 'mail,video' }, '"workers" must be true, false or an array of queue names'],
    [{ workers: [''] }, '"workers" must be true, false or an array of queue names'],
    [{ globalEnhancer: true }, 'unknown option "globalEnhancer" (true). Did you mean "globalEnhancers"?'],
    [{ globalEnhancers: 'pipes' }, '"globalEnhancers" must be true, false, or an object'],
    [
      { globalEnhancers: { pipe: true } },
      'option "globalEnhancers": unknown option "pipe" (true). Did you mean',
    ],
    [{ isGlobl: false }, 'unknown option "isGlobl" (false). Did you mean "isGlobal"?'],
    [{ staleSchedules: 'delete' }, `"staleSchedules" must be 'keep' or 'remove', not "delete"`],
    [{ trackCurrentJob: 'yes' }, '"trackCurrentJob" must be true or false'],
    [{ eventEmitter: true }, '"eventEmitter" must be an injection token'],
    [{ schedules: true }, '"schedules" must be an object'],
    [
      { workerOptions: { concurency: 1 } },
      'option "workerOptions": unknown option "concurency" (1). Did you',
    ],
    [{ workerOptions: { unknownJobs: 'keep' } }, `"unknownJobs" must be 'dead-letter' or 'release'`],
    [{ maxStreamLen: '5' }, '"maxStreamLen" must be a whole number'],
  ])('are checked, also without a queue: %j', async (options, problem) => {
    const message = await refusal(() => start({}, options as never));
    expect(message).toContain('ChasquiModule.forRoot (connection "default")');
    expect(message).toContain(problem);
  });

  it('may be a list of queues or an object of a class', async () => {
    class Options {
      get connection() {
        return redis.connection;
      }
      readonly workers = ['mail'];
      readonly isGlobal = true;
    }
    const root = ChasquiModule.forRoot(new Options());
    const app = await start({ imports: [root, ...imports()], providers: [Sender] }, null);
    expect(app.get(ChasquiWorkers).queues).toEqual(['mail']);
  });
});

describe('the arguments of ChasquiModule', () => {
  const useFactory = () => ({});

  it.each<[string, () => unknown, string]>([
    ['forRoot', () => ChasquiModule.forRoot(undefined as never), 'options must be an object, not undefined'],
    [
      'forRoot',
      () => ChasquiModule.forRoot({ name: 5 } as never),
      '"name" must be a string that is not blank, not 5',
    ],
    ['forRoot', () => ChasquiModule.forRoot({ isGlobal: 'no' } as never), '"isGlobal" must be true or false'],
    ['forRootAsync', () => ChasquiModule.forRootAsync(undefined as never), 'options must be an object'],
    [
      'forRootAsync',
      () => ChasquiModule.forRootAsync({}),
      'set useFactory, a function that returns the options',
    ],
    [
      'forRootAsync',
      () => ChasquiModule.forRootAsync({ useFactry: 1 } as never),
      'Did you mean "useFactory"?',
    ],
    [
      'forRootAsync',
      () => ChasquiModule.forRootAsync({ useFactory: {} as never }),
      '"useFactory" must be a function',
    ],
    [
      'forRootAsync',
      () => ChasquiModule.forRootAsync({ workers: false, useFactory } as never),
      'return the option "workers" from the factory',
    ],
    [
      'forRootAsync',
      () => ChasquiModule.forRootAsync({ useFactory, useClass: class {} } as never),
      'set only one of useFactory and useClass',
    ],
    [
      'forFeature',
      () => ChasquiModule.forFeature(undefined as never),
      'options must be an object, not undefined',
    ],
    ['forFeature', () => ChasquiModule.forFeature(5 as never), 'options must be an object, not 5'],
    [
      'forFeature',
      () => ChasquiModule.forFeature(['mail'] as never),
      'options must be an object, not an array',
    ],
    ['forFeature', () => ChasquiModule.forFeature({} as never), 'option "name" is missing'],
    ['forFeature', () => ChasquiModule.forFeature(''), '"name" must be a string that is not blank'],
    [
      'forFeature',
      () => ChasquiModule.forFeature({ name: 'mail', connectionName: 1 } as never),
      '"connectionName" must be',
    ],
    ['forFeatureAsync', () => ChasquiModule.forFeatureAsync(undefined as never), 'options must be an object'],
    [
      'forFeatureAsync',
      () => ChasquiModule.forFeatureAsync({ useFactory } as never),
      'option "name" is missing',
    ],
    ['forFeatureAsync', () => ChasquiModule.forFeatureAsync({ name: 'mail' }), 'set useFactory'],
    [
      'forFeatureAsync',
      () => ChasquiModule.forFeatureAsync({ name: 'mail', useFactory, queueName: 'x' } as never),
      'return the option "queueName" from the factory',
    ],
  ])('%s: %s', async (method, call, problem) => {
    const message = await refusal(call);
    expect(message).toMatch(new RegExp(`^ChasquiModule\\.${method}: `));
    expect(message).toContain(problem);
  });

  it.each([
    [{ workers: 'true' }, '"workers" must be true or false'],
    [{ worker: true }, 'unknown option "worker" (true). Did you mean "workers"?'],
    [{ queueName: 1 }, '"queueName" must be a string'],
    [{ globalEnhancers: 1 }, '"globalEnhancers" must be true, false, or an object'],
    [{ staleSchedules: true }, "\"staleSchedules\" must be 'keep' or 'remove'"],
    [{ connectionName: 'slow' }, '"connectionName" must stand next to the factory'],
  ])('what forFeature and its factory give: %j', async (options, problem) => {
    const feature = ChasquiModule.forFeatureAsync({ name: 'mail', useFactory: () => options as never });
    const message = await refusal(() => start({ imports: [feature] }));
    expect(message).toContain('ChasquiModule.forFeature (queue "mail")');
    expect(message).toContain(problem);
  });

  it('nothing from a factory', async () => {
    @Module({ imports: [ChasquiModule.forRootAsync({ useFactory: () => null as never })] })
    class AppModule {}
    expect(await refusal(() => startModule(AppModule))).toBe(
      'ChasquiModule.forRoot (connection "default"): options must be an object, not null.',
    );
  });
});

describe('the options of a decorator', () => {
  it('name the decorator and the class', async () => {
    @Processor('mail', null as never)
    class Nothing extends Sender {}
    @Processor('mail', { concurrency: '5' as never })
    class Text extends Sender {}
    @QueueEventsListener('mail', { lastEventID: '0' } as never)
    class Listener {}
    expect(await refusal(() => start({ imports: imports(), providers: [Nothing] }))).toBe(
      '@Processor on Nothing (AppModule): options must be an object, not null.',
    );
    expect(await refusal(() => start({ imports: imports(), providers: [Text] }))).toContain(
      '@Processor on Text (AppModule): option "concurrency" must be',
    );
    expect(await refusal(() => start({ imports: imports(), providers: [Listener] }))).toContain(
      '@QueueEventsListener on Listener (AppModule): unknown option "lastEventID". Did you mean "lastEventId"?',
    );
  });
});

describe('the arguments of ChasquiQueues and ChasquiWorkers', () => {
  it('are checked', async () => {
    const app = await start({ imports: imports(), providers: [Sender] });
    const queues = app.get(ChasquiQueues);
    const workers = app.get(ChasquiWorkers);
    const calls: readonly [() => unknown, RegExp][] = [
      [() => queues.get(undefined as never), /^ChasquiQueues\.get: the name of the queue must be a string/],
      [() => queues.register(undefined as never), /^ChasquiQueues\.register: options must be an object/],
      [() => queues.register('more' as never), /^ChasquiQueues\.register: options must be an object/],
      [() => queues.register({} as never), /^ChasquiQueues\.register: option "name" is missing/],
      [
        () => queues.register({ name: 1 } as never),
        /^ChasquiQueues\.register: option "name" must be a string/,
      ],
      [
        () => queues.register({ name: 'a', worker: false } as never),
        /^ChasquiQueues\.register: unknown .+"workers"/,
      ],
      [
        () => queues.register({ name: 'a', connection: 5 } as never),
        /^ChasquiQueues\.register: option "connection"/,
      ],
      [() => queues.register({ name: 'a{b}' }), /The queue name "a\{b\}"/],
      [() => workers.get(undefined as never), /^ChasquiWorkers\.get: the name of the queue must/],
      [() => workers.isRunning(5 as never), /^ChasquiWorkers\.isRunning: the name of the queue must/],
      [() => workers.start(undefined as never), /^ChasquiWorkers\.start: the name of the queue must/],
      [() => workers.stop(undefined as never), /^ChasquiWorkers\.stop: the name of the queue must/],
      [() => workers.stop('mail', { forse: true } as never), /^ChasquiWorkers\.stop: unknown .+"force"\?/],
      [
        () => workers.stop('mail', { force: 'yes' } as never),
        /^ChasquiWorkers\.stop: option "force" must be true/,
      ],
      [
        () => workers.stop('mail', true as never),
        /^ChasquiWorkers\.stop: options must be an object, not true/,
      ],
    ];
    for (const [call, message] of calls) expect(await refusal(call)).toMatch(message);
    expect(queues.names).toEqual(['mail']);
    expect(workers.isRunning('mail')).toBe(true);
  });
});
