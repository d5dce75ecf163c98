import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Controller, Global, Injectable, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ChasquiWorkers,
  InjectQueue,
  OnJob,
  OnQueueEvent,
  Processor,
  Queue,
  QueueEventsListener,
  ShutdownError,
} from '../../lib/index.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps } from './support/apps.js';

/*
 * That nothing stays open is checked after each test: whatever connection is left fails it.
 */
const redis = useRedis();
const { start } = useApps(redis);
const FIXTURE = fileURLToPath(new URL('fixtures/failing-app.mjs', import.meta.url));

const taken: string[] = [];
afterEach(() => {
  taken.length = 0;
});

@Processor('mail')
class MailProcessor {
  @OnJob()
  send() {
    taken.push('send');
  }
}

@QueueEventsListener('mail')
class MailListener {
  @OnQueueEvent('waiting')
  waiting() {}
}

/** An application with a job that waits for a worker, and what these modules and providers add to it. */
function root({ imports = [], providers = [], ...rest }: ModuleMetadata): Type {
  @Module({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection }),
      ChasquiModule.forFeature('mail'),
      ...imports,
    ],
    providers: [MailProcessor, MailListener, ...providers],
    ...rest,
  })
  class AppModule {}
  return AppModule;
}

const FAILURES: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('no database');
  },
  rejects: async () => Promise.reject(new Error('no database')),
  'rejects later': async () => {
    await new Promise(setImmediate);
    throw new Error('no database');
  },
};
const HOOKS = ['onModuleInit', 'onApplicationBootstrap'] as const;
const CASES = HOOKS.flatMap((hook) =>
  Object.entries(FAILURES).map(([how, fail]) => [hook, how, fail] as const),
);

/** Where a hook may stand. */
function places(hook: (typeof HOOKS)[number], fail: () => unknown): Record<string, () => Type> {
  @Injectable()
  class Failing {}
  @Controller()
  class FailingController {}
  @Module({})
  class FailingModule {}
  @Global()
  @Module({ providers: [Failing], exports: [Failing] })
  class GlobalModule {}
  const withHook = (target: Type): Type => {
    Object.defineProperty(target.prototype, hook, { value: fail, configurable: true, writable: true });
    return target;
  };
  for (const target of [Failing, FailingController, FailingModule]) {
    withHook(target);
  }
  return {
    'a provider': () => root({ providers: [Failing] }),
    'a controller': () => root({ controllers: [FailingController] }),
    'an imported module': () => root({ imports: [FailingModule] }),
    'a global module': () => root({ imports: [GlobalModule] }),
    'the root module': () => withHook(root({})),
    'what a factory has made': () =>
      root({ providers: [{ provide: 'MADE', useFactory: async () => Promise.resolve({ [hook]: fail }) }] }),
  };
}

async function boot(module: Type): Promise<unknown> {
  const compiled = await Test.createTestingModule({ imports: [module] })
    .setLogger(SILENT)
    .compile();
  return compiled.init().then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** The job that waited when the application began still does, and nobody reads. */
async function expectUntaken(): Promise<void> {
  const [group] = (await redis.client
    .xinfo('GROUPS', '{chasqui:mail}:stream')
    .catch(() => [])) as unknown[][];
  expect(taken).toEqual([]);
  expect(group?.[group.indexOf('pending') + 1] ?? 0).toBe(0);
  expect(await redis.client.xlen('{chasqui:mail}:stream')).toBe(1);
}

async function addOne(): Promise<void> {
  const queue = new Queue('mail', { connection: redis.connection });
  await queue.add('send', {});
  await queue.close();
}

describe.each(CASES)('a hook %s that %s', (hook, _how, fail) => {
  it.each(Object.keys(places(hook, fail)))('of %s leaves no connection, and no job taken', async (place) => {
    await addOne();
    const error = await boot((places(hook, fail)[place] as () => Type)());
    expect((error as Error).message).toBe('no database');
    await expectUntaken();
  });
});

it('a hook that adds jobs and then throws leaves no connection', async () => {
  const added: string[] = [];
  let after: unknown;
  @Injectable()
  class Adding {
    constructor(@InjectQueue('mail') private readonly mail: Queue) {}
    async onModuleInit() {
      added.push((await this.mail.add('send', {})).id);
    }
    async onApplicationBootstrap() {
      added.push((await this.mail.add('send', {})).id);
      throw new Error('no database');
    }
  }
  @Injectable()
  class Slow {
    constructor(@InjectQueue('mail') private readonly mail: Queue) {}
    async onApplicationBootstrap() {
      // It is called beside the one that throws, and goes on after that.
      for (;;) {
        after = await this.mail.add('later', {}, { delay: 60_000 }).catch((error: unknown) => error);
        if (after instanceof Error) return;
        await new Promise(setImmediate);
      }
    }
  }
  const error = await boot(root({ providers: [Adding, Slow] }));
  expect((error as Error).message).toBe('no database');
  expect(added).toHaveLength(2);
  await expect.poll(() => after).toBeInstanceOf(ShutdownError);
  expect(taken).toEqual([]);
});

it('an HTTP application that does not start can be closed', async () => {
  await addOne();
  @Injectable()
  class Failing {
    onApplicationBootstrap() {
      throw new Error('no database');
    }
  }
  const app = await NestFactory.create(root({ providers: [Failing] }), {
    logger: false,
    abortOnError: false,
  });
  await expect(app.init()).rejects.toThrow('no database');
  await app.close();
  await expectUntaken();
});

it('workers start when all hooks have ended, and the hooks are restored', async () => {
  const order: string[] = [];
  @Processor('mail')
  class Ordered {
    @OnJob()
    send() {
      order.push('job');
    }
  }
  @Injectable()
  class Slow {
    async onModuleInit() {
      await new Promise(setImmediate);
      order.push('onModuleInit');
    }
    async onApplicationBootstrap() {
      // Jobs wait: a worker that reads would have taken them by now.
      for (let i = 0; i < 20; i++) await redis.client.ping();
      order.push('onApplicationBootstrap');
    }
  }
  class Last {
    onApplicationBootstrap() {
      order.push('root module');
    }
  }
  await addOne();
  @Module({
    imports: [ChasquiModule.forRoot({ connection: redis.connection }), ChasquiModule.forFeature('mail')],
    providers: [Ordered, Slow],
  })
  class AppModule extends Last {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  try {
    expect(app.get(ChasquiWorkers, { strict: false }).isRunning('mail')).toBe(true);
    await expect.poll(() => order).toEqual(['onModuleInit', 'onApplicationBootstrap', 'root module', 'job']);
    expect(Object.keys(app.get(Slow))).toEqual([]);
    expect(Object.getOwnPropertyNames(app.get(AppModule))).toEqual([]);
    expect(Object.hasOwn(app.get(Slow), 'onModuleInit')).toBe(false);
  } finally {
    await app.close();
  }
});

it('a hook that cannot be watched is called as ever', async () => {
  const called: string[] = [];
  const frozen = Object.freeze({ onApplicationBootstrap: () => called.push('frozen') });
  const app = await start({
    imports: [ChasquiModule.forFeature('mail')],
    providers: [MailProcessor, { provide: 'FROZEN', useValue: frozen }],
  });
  expect(called).toEqual(['frozen']);
  expect(queueOf(app, 'mail').isClosed).toBe(false);
  expect((await runJob(app, 'mail', 'send')).error).toBeUndefined();
});

it('a process whose application does not start can end by itself', async () => {
  await addOne();
  const child = fork(FIXTURE, { env: { ...process.env, REDIS_URL: redis.url }, silent: true });
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(messages).toEqual([{ failed: 'no database' }]);
  await expectUntaken();
});
