import { once } from 'node:events';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ChasquiQueues,
  ChasquiWorkers,
  ConfigError,
  InjectQueue,
  JobSignal,
  OnJob,
  Processor,
  getConnectionToken,
  getQueueToken,
  type ChasquiModuleOptions,
  type ChasquiOptionsFactory,
  type ChasquiQueueOptionsFactory,
  type Job,
  type Queue,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start, startModule } = useApps(redis);

@Processor('mail')
class Sender {
  @OnJob('send')
  send(job: Job) {
    return job.queueName;
  }
}

@Injectable()
class Config {
  readonly redis = redis.connection;
  readonly concurrency = 7;
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

describe('forRootAsync', () => {
  @Injectable()
  class OptionsFactory implements ChasquiOptionsFactory {
    createChasquiOptions(): ChasquiModuleOptions {
      return { connection: redis.connection };
    }
  }
  @Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
  class FactoryModule {}

  it.each([
    [
      'useFactory',
      () =>
        ChasquiModule.forRootAsync({
          imports: [ConfigModule],
          inject: [Config],
          useFactory: (config: Config) => Promise.resolve({ connection: config.redis }),
        }),
    ],
    ['useClass', () => ChasquiModule.forRootAsync({ useClass: OptionsFactory })],
    [
      'useExisting',
      () => ChasquiModule.forRootAsync({ imports: [FactoryModule], useExisting: OptionsFactory }),
    ],
  ])('takes its options from %s', async (_what, root) => {
    const app = await start(
      { imports: [root(), ChasquiModule.forFeature('mail')], providers: [Sender] },
      null,
    );
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
  });
});

describe('forFeatureAsync', () => {
  @Injectable()
  class OptionsFactory implements ChasquiQueueOptionsFactory {
    createQueueOptions() {
      return { workerOptions: { concurrency: 7 } };
    }
  }
  @Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
  class FactoryModule {}

  it.each([
    [
      'useFactory',
      () =>
        ChasquiModule.forFeatureAsync({
          name: 'mail',
          imports: [ConfigModule],
          inject: [Config],
          useFactory: ({ concurrency }: Config) => ({ workerOptions: { concurrency } }),
        }),
    ],
    ['useClass', () => ChasquiModule.forFeatureAsync({ name: 'mail', useClass: OptionsFactory })],
    [
      'useExisting',
      () =>
        ChasquiModule.forFeatureAsync({
          name: 'mail',
          imports: [FactoryModule],
          useExisting: OptionsFactory,
        }),
    ],
  ])('takes worker options from %s', async (_what, feature) => {
    const app = await start({ imports: [feature()], providers: [Sender] });
    expect(workerOf(app, 'mail').opts.concurrency).toBe(7);
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
  });
});

describe('forFeature', () => {
  it('registers several queues, of any name in Redis', async () => {
    const app = await start({
      imports: [ChasquiModule.forFeature({ name: 'mail', queueName: 'mail-eu' }, 'reports')],
      providers: [Sender],
    });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail-eu' });
    expect(queueOf(app, 'reports').name).toBe('reports');
    expect(await redis.client.keys('{chasqui:mail-eu}:*')).not.toHaveLength(0);
  });

  it('in several modules gives one queue to all', async () => {
    const feature = () => ChasquiModule.forFeature({ name: 'mail', defaultJobOptions: { attempts: 2 } });
    @Injectable()
    class One {
      constructor(@InjectQueue('mail') readonly queue: Queue) {}
    }
    @Injectable()
    class Other {
      constructor(@InjectQueue('mail') readonly queue: Queue) {}
    }
    @Module({ imports: [feature()], providers: [One] })
    class OneModule {}
    @Module({ imports: [feature()], providers: [Other] })
    class OtherModule {}
    const app = await start({ imports: [OneModule, OtherModule] });
    expect(app.get(One, { strict: false }).queue).toBe(app.get(Other, { strict: false }).queue);
  });

  it('is for the importing module, or for all', async () => {
    @Injectable()
    class Elsewhere {
      constructor(@InjectQueue('mail') readonly queue: Queue) {}
    }
    @Module({ providers: [Elsewhere] })
    class ElsewhereModule {}
    const queues = (isGlobal: boolean) => ChasquiModule.forFeature({ name: 'mail', isGlobal });
    const app = await start({ imports: [queues(true), ElsewhereModule] });
    expect(app.get(Elsewhere, { strict: false }).queue.name).toBe('mail');
    await expect(start({ imports: [queues(false), ElsewhereModule] })).rejects.toThrow('ChasquiQueue(mail)');
  });

  it('puts options in layers: forRoot, @Processor, forFeature', async () => {
    @Processor('mail', { concurrency: 2, maxAttempts: 2 })
    class Layered extends Sender {}
    const app = await start(
      {
        imports: [
          ChasquiModule.forFeature({
            name: 'mail',
            defaultJobOptions: { attempts: 9 },
            workerOptions: { maxAttempts: 3 },
          }),
        ],
        providers: [Layered],
      },
      {
        maxPayloadBytes: 999,
        defaultJobOptions: { attempts: 1, dedupTtlMs: 5 },
        workerOptions: { concurrency: 1, maxAttempts: 1, batch: 4 },
      },
    );
    expect(queueOf(app, 'mail').opts).toMatchObject({
      maxPayloadBytes: 999,
      defaultJobOptions: { attempts: 9, dedupTtlMs: 5 },
    });
    expect(workerOf(app, 'mail').opts).toMatchObject({
      maxPayloadBytes: 999,
      concurrency: 2,
      maxAttempts: 3,
      batch: 4,
    });
  });
});

describe('connections', () => {
  it('are as many as are named', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('write')
      write() {
        return 'written';
      }
    }
    const app = await start({
      imports: [
        ChasquiModule.forRoot({ name: 'slow', connection: { ...redis.connection, db: 1 } }),
        ChasquiModule.forFeature('mail', { name: 'reports', connectionName: 'slow' }),
      ],
      providers: [Sender, Reporter],
    });
    await runJob(app, 'mail', 'send');
    await runJob(app, 'reports', 'write');
    const keyspace = await redis.client.info('keyspace');
    expect(keyspace).toContain('db0:');
    expect(keyspace).toContain('db1:');
  });

  it('can be limited to the modules that import it', async () => {
    const local = ChasquiModule.forRoot({ name: 'local', isGlobal: false, connection: redis.connection });
    const queue = { name: 'mail', connectionName: 'local' };
    await expect(start({ imports: [local, ChasquiModule.forFeature(queue)] })).rejects.toMatchObject({
      code: 'CMQ-302',
    });
    const app = await start({
      imports: [ChasquiModule.forFeatureAsync({ ...queue, imports: [local], useFactory: () => ({}) })],
    });
    expect(queueOf(app, 'mail').name).toBe('mail');
  });

  it('can be brought by a queue itself, without forRoot', async () => {
    const own = ChasquiModule.forFeature({ name: 'mail', connection: redis.url });
    const app = await start({ imports: [own], providers: [Sender] }, null);
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
  });

  it('are one for all commands, and one per worker', async () => {
    const before = await clientCount();
    const app = await start({
      imports: [ChasquiModule.forFeature('mail', 'a', 'b', 'c')],
      providers: [Sender],
    });
    await runJob(app, 'mail', 'send');
    await queueOf(app, 'a').add('x', 1);
    await queueOf(app, 'b').add('x', 1);
    expect(await clientCount()).toBe(before + 2);
  });

  it('of the user are used and never closed', async () => {
    const client = new Redis(redis.url);
    try {
      const app = await start(
        { imports: [ChasquiModule.forFeature('mail')], providers: [Sender] },
        { connection: client },
      );
      const before = await clientCount();
      await runJob(app, 'mail', 'send');
      await app.close();
      expect(await clientCount()).toBe(before - 1);
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });

  it('of two applications in one process are separate, even with one options object', async () => {
    const connection = { ...redis.connection };
    const root = { connection };
    const imports = () => [ChasquiModule.forFeature('mail')];
    const before = await clientCount();
    const one = await start({ imports: imports(), providers: [Sender] }, root);
    const two = await start({ imports: imports(), providers: [Sender] }, root);
    expect(await clientCount()).toBe(before + 4);
    expect(queueOf(one, 'mail')).not.toBe(queueOf(two, 'mail'));
    await one.close();
    expect(await runJob(two, 'mail', 'send')).toMatchObject({ result: 'mail' });
    expect(connection).toEqual(redis.connection);
  });

  async function clientCount(): Promise<number> {
    const list = await redis.client.client('LIST');
    return String(list).trim().split('\n').length;
  }
});

describe('roles', () => {
  @Processor('reports')
  class Reporter {
    @OnJob('write')
    write() {
      return 'written';
    }
  }
  const imports = () => [ChasquiModule.forFeature('mail', 'reports')];
  const providers = [Sender, Reporter];

  it.each([
    [true, ['mail', 'reports']],
    [false, []],
    [['reports'], ['reports']],
  ])('workers: %j', async (workers, expected) => {
    const app = await start({ imports: imports(), providers }, { workers });
    expect(app.get(ChasquiWorkers, { strict: false }).queues).toEqual(expected);
    await queueOf(app, 'mail').add('send', {});
  });

  it('can be set for one queue', async () => {
    const app = await start(
      { imports: [ChasquiModule.forFeature('reports', { name: 'mail', workers: true })], providers },
      { workers: false },
    );
    expect(app.get(ChasquiWorkers, { strict: false }).queues).toEqual(['mail']);
  });

  it('are checked where there is no worker too', async () => {
    @Processor('mail')
    class Twice extends Sender {}
    await expect(
      start({ imports: imports(), providers: [Sender, Twice] }, { workers: false }),
    ).rejects.toMatchObject({
      code: 'CMQ-304',
    });
  });
});

describe('ChasquiWorkers', () => {
  it('stops workers and starts them again', async () => {
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [Sender] });
    const workers = app.get(ChasquiWorkers, { strict: false });
    expect(workers.isRunning('mail')).toBe(true);
    await Promise.all([workers.stop('mail'), workers.stop('mail')]);
    expect(workers.isRunning('mail')).toBe(false);
    expect(workers.get('mail')).toBeUndefined();
    await queueOf(app, 'mail').add('send', {});
    const starting = Promise.all([workers.start('mail'), workers.start('mail')]);
    await starting;
    expect(workers.isRunning('mail')).toBe(true);
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
  });

  it('starts those that do not start by themselves', async () => {
    @Processor('mail', { autorun: false })
    class Waiting extends Sender {}
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [Waiting] });
    const workers = app.get(ChasquiWorkers, { strict: false });
    expect(workers.isRunning('mail')).toBe(false);
    const completed = once(workerOf(app, 'mail'), 'completed');
    await queueOf(app, 'mail').add('send', {});
    await workers.start('mail');
    await completed;
  });

  it('ends a stop that waits for handlers if it is called with force', async () => {
    const aborted: unknown[] = [];
    @Processor('mail')
    class Slow {
      @OnJob('send')
      async send(@JobSignal() signal: AbortSignal) {
        await once(signal, 'abort');
        aborted.push(signal.reason);
      }
    }
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [Slow] });
    const workers = app.get(ChasquiWorkers, { strict: false });
    const active = once(workerOf(app, 'mail'), 'active');
    await queueOf(app, 'mail').add('send', {});
    await active;
    const closing = app.close();
    const begun = performance.now();
    // After a tick, so that the graceful stop has begun.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([workers.stop('mail', { force: true }), closing]);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(aborted).toHaveLength(1);
  });

  it('takes starts and stops in any order, all at once', async () => {
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [Sender] });
    const workers = app.get(ChasquiWorkers, { strict: false });
    const steps = Array.from({ length: 40 }, (_, index) =>
      index % 3 === 0 ? workers.start('mail') : workers.stop('mail', { force: index % 5 === 0 }),
    );
    await Promise.all([...steps, workers.start('mail')]);
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'mail' });
    // Starts and stops under way do not hold up the end, and leave nothing open behind it.
    const more = [workers.stop('mail'), workers.start('mail'), workers.stop('mail'), workers.start('mail')];
    await app.close();
    await Promise.allSettled(more);
    expect(workers.isRunning('mail')).toBe(false);
    await expect(workers.start('mail')).rejects.toMatchObject({ code: 'CMQ-005' });
  });

  it('knows what it has', async () => {
    const app = await start({ imports: [ChasquiModule.forFeature('mail', 'idle')], providers: [Sender] });
    const workers = app.get(ChasquiWorkers, { strict: false });
    await expect(workers.start('mails')).rejects.toThrow('Did you mean "mail"?');
    await expect(workers.stop('idle')).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('ChasquiQueues', () => {
  it('registers queues while the application runs, and closes them with it', async () => {
    const app = await start({ imports: [ChasquiModule.forFeature('mail')] }, { maxPayloadBytes: 999 });
    const queues = app.get(ChasquiQueues, { strict: false });
    const tenant = queues.register({ name: 'tenant-7', defaultJobOptions: { attempts: 2 } });
    expect(tenant.opts).toMatchObject({ maxPayloadBytes: 999, defaultJobOptions: { attempts: 2 } });
    await tenant.add('x', 1);
    expect(queues.register({ name: 'tenant-7', defaultJobOptions: { attempts: 2 } })).toBe(tenant);
    expect(queues.get('tenant-7')).toBe(tenant);
    expect(queues.names).toEqual(['mail', 'tenant-7']);
    expect(() => queues.register({ name: 'tenant-7' })).toThrow('they differ in defaultJobOptions');
    expect(() => queues.register({ name: 'x', connectionName: 'none' })).toThrow('not registered');
    expect(() => queues.get('mails')).toThrow('Did you mean "mail"?');
    await app.close();
    expect(tenant.isClosed).toBe(true);
    expect(() => queues.register({ name: 'late' })).toThrow('The application has stopped');
    expect(() => queues.get('mail')).toThrow('The application has stopped');
  });

  it('returns a new queue if the old one was closed', async () => {
    const app = await start({ imports: [ChasquiModule.forFeature('mail')] });
    const queues = app.get(ChasquiQueues, { strict: false });
    const first = queues.register({ name: 'tenant-7' });
    const closing = first.close();
    const second = queues.register({ name: 'tenant-7' });
    await closing;
    expect([second === first, second.isClosed]).toEqual([false, false]);
    await second.add('x', 1);
    expect(queues.get('tenant-7')).toBe(second);
    await second.close();
    await queues.get('tenant-7').add('x', 2);
    await app.close();
    expect(second.isClosed).toBe(true);
  });
});

describe('tests of an application', () => {
  it('can replace a queue with a fake, without Redis', async () => {
    @Injectable()
    class Signup {
      constructor(@InjectQueue('mail') readonly queue: Queue) {}
    }
    @Module({
      imports: [
        ChasquiModule.forRoot({ connection: { host: '127.0.0.1', port: 1 }, workers: false }),
        ChasquiModule.forFeature('mail'),
      ],
      providers: [Signup, Sender],
    })
    class AppModule {}
    const added: unknown[] = [];
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(getQueueToken('mail'))
      .useValue({ add: (...args: unknown[]) => Promise.resolve(added.push(args)) })
      .compile();
    const app = await module.init();
    await app.get(Signup).queue.add('send', { to: 'ada' });
    expect(added).toEqual([['send', { to: 'ada' }]]);
    await app.close();
  });

  it('can be closed before they were started', async () => {
    @Module({ imports: [ChasquiModule.forRoot({ connection: redis.url }), ChasquiModule.forFeature('mail')] })
    class AppModule {}
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    await module.close();
  });

  it('find tokens for connections too', async () => {
    @Module({ imports: [ChasquiModule.forRoot({ connection: redis.url })] })
    class AppModule {}
    const app = await startModule(AppModule);
    expect(app.get(getConnectionToken(), { strict: false })).toMatchObject({ name: 'default' });
  });
});
