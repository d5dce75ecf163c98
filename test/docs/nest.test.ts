import { Module, type INestApplicationContext, type Type } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { ChasquiModule, OnJob, Processor } from '../../lib/index.js';
import { queueOf, runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start, startModule, logs } = useApps(redis);
const { block } = docsPage('docs/nest.md', redis);

interface App {
  AppModule: Type;
}

/** An application that has the page's module, and a processor for the queue "welcome". */
async function startWithWelcome(module: Type): Promise<INestApplicationContext> {
  @Processor('welcome')
  class WelcomeProcessor {
    @OnJob()
    any() {
      return 'welcome';
    }
  }
  return start({ imports: [module], providers: [WelcomeProcessor] }, null);
}

/** The names of the keys of a queue in Redis. */
const keysOf = (queue: string): Promise<string[]> => redis.client.keys(`{chasqui:${queue}}:*`);

describe('register a connection and queues', () => {
  const register = block<App>('Register a connection and queues');
  const client = block<App & { redis: Redis }>('Register a connection and queues', 2);
  const layers = block<App>('Register a connection and queues', 3);

  it('by name and with options', async () => {
    const app = await startWithWelcome((await register()).AppModule);
    expect((await queueOf(app, 'reports').add('x', 1)).opts.attempts).toBeUndefined();
    const { job, result } = await runJob(app, 'welcome', 'send');
    expect([job.opts.attempts, result]).toEqual([5, 'welcome']);
  });

  it('with a client of one’s own, which is not closed', async () => {
    const { AppModule, redis: own } = await client();
    const quit = vi.spyOn(own, 'quit');
    const ended = once(own, 'end');
    const app = await startWithWelcome(AppModule);
    expect((await runJob(app, 'welcome', 'send')).result).toBe('welcome');
    expect(own.status).toBe('ready');
    await app.close();
    expect(quit).toHaveBeenCalledTimes(1); // by the page's module
    await ended;
  });

  it('has three layers of worker options', async () => {
    const app = await startModule((await layers()).AppModule);
    expect(workerOf(app, 'thumbnails').opts).toMatchObject({
      concurrency: 8,
      claimMinIdleMs: 60_000,
      shutdownDeadlineSecs: 20,
    });
    const { job } = await runJob(app, 'thumbnails', 'make');
    expect(job.opts.attempts).toBe(5);
  });
});

describe('use a queue in several modules', () => {
  interface Page extends App {
    SignupService: Type<{ signUp(email: string): Promise<void> }>;
  }
  const shared = block<Page>('Use a queue in several modules');

  it('exported, and global', async () => {
    const { AppModule, SignupService } = await shared();
    const app = await startModule(AppModule);
    await app.get<{ signUp(email: string): Promise<void> }>(SignupService, { strict: false }).signUp('ada');
    expect(await queueOf(app, 'mail').getBacklog()).toMatchObject({ waiting: 1 });
    expect(await queueOf(app, 'audit').getBacklog()).toMatchObject({ waiting: 1 });
  });

  it('registered twice with different options stops the boot', async () => {
    const { AppModule } = await shared();
    const other = ChasquiModule.forFeature({ name: 'mail', defaultJobOptions: { attempts: 6 } });
    await expect(start({ imports: [AppModule, other] }, null)).rejects.toMatchObject({ code: 'CMQ-301' });
  });
});

describe('options from configuration', () => {
  const useFactory = block<App>('Options from configuration');
  const classes = block<App>('Options from configuration', 2);

  it('with useFactory', async () => {
    vi.stubEnv('CONCURRENCY', '7');
    vi.stubEnv('REGION', 'us');
    const app = await startWithWelcome((await useFactory()).AppModule);
    expect(workerOf(app, 'welcome').opts.concurrency).toBe(7);
    await runJob(app, 'welcome', 'send');
    expect(await keysOf('welcome-us')).not.toEqual([]);
    expect(await keysOf('welcome')).toEqual([]);
  });

  it('with useClass and useExisting', async () => {
    const app = await startWithWelcome((await classes()).AppModule);
    const { job } = await runJob(app, 'welcome', 'send');
    expect(job.opts.attempts).toBe(7);
  });
});

describe('add jobs', () => {
  const service = block<{ SignupService: Type<{ signUp(to: string): Promise<string> }> }>('Add jobs');
  const token = block<{ welcomeSender: never }>('Add jobs', 2);

  it('with @InjectQueue, and by token', async () => {
    const { SignupService } = await service();
    const { welcomeSender } = await token();
    const app = await start({
      imports: [ChasquiModule.forFeature('welcome')],
      providers: [SignupService, welcomeSender],
    });
    const id = await app.get<{ signUp(to: string): Promise<string> }>(SignupService).signUp('ada');
    expect(id).toHaveLength(26);
    await app.get<(to: string) => Promise<unknown>>('SEND_WELCOME')('bob');
    expect(await queueOf(app, 'welcome').getBacklog()).toMatchObject({ waiting: 2 });
  });
});

describe('several connections', () => {
  const several = block<App>('Several connections');
  const local = block<{ BillingModule: Type }>('Several connections', 2);

  it('by name, and of a queue’s own', async () => {
    const app = await startModule((await several()).AppModule);
    for (const name of ['welcome', 'invoices', 'audit']) {
      await queueOf(app, name).add('x', 1);
      expect(await keysOf(name)).not.toEqual([]);
    }
    const connections = ['welcome', 'invoices', 'audit'].map((name) => queueOf(app, name).opts.connection);
    expect(new Set(connections).size).toBe(3);
  });

  it('that only some modules see', async () => {
    const { BillingModule } = await local();
    const app = await startModule(BillingModule);
    await queueOf(app, 'invoices').add('x', 1);
    expect(await keysOf('invoices')).not.toEqual([]);

    @Module({
      imports: [BillingModule, ChasquiModule.forFeature({ name: 'mail', connectionName: 'billing' })],
    })
    class Elsewhere {}
    await expect(startModule(Elsewhere)).rejects.toMatchObject({ code: 'CMQ-302' });
  });
});

describe('queues whose names are known only at run time', () => {
  interface Service {
    notify(tenant: string, text: string): Promise<void>;
  }
  const tenants = block<{ Tenants: Type<Service> }>('Queues whose names are known only at run time');

  it('are made once, and closed with the application', async () => {
    const { Tenants } = await tenants();
    const app = await start({ providers: [Tenants] });
    await app.get<Service>(Tenants).notify('acme', 'one');
    await app.get<Service>(Tenants).notify('acme', 'two');
    expect(await redis.client.xlen('{chasqui:tenant-acme}:stream')).toBe(2);
  });
});

describe('operate the queues of the application', () => {
  interface Service {
    pauseAll(): Promise<readonly string[]>;
    failed(name: string): Promise<number>;
    replay(name: string, reason: string): Promise<number>;
  }
  const operator = block<{ Operator: Type<Service> }>('Operate the queues of the application');
  const tracked = block<{ ReportsModule: Type }>('Operate the queues of the application', 2);

  @Processor('mail', { maxAttempts: 1 })
  class MailProcessor {
    @OnJob()
    fail() {
      throw new Error('away');
    }
  }

  it('by their names', async () => {
    const { Operator } = await operator();
    const imports = [ChasquiModule.forFeature('mail', 'reports')];
    const app = await start({ imports, providers: [Operator, MailProcessor] });
    const service = app.get<Service>(Operator);
    const dead = once(workerOf(app, 'mail'), 'deadLettered');
    await queueOf(app, 'mail').add('send', 1);
    await dead;
    expect(await service.failed('mail')).toBe(1);
    expect(await service.pauseAll()).toEqual(['mail', 'reports']);
    expect(await queueOf(app, 'reports').isPaused()).toBe(true);
    expect(await service.replay('mail', 'retries_exhausted')).toBe(1);
    expect(await queueOf(app, 'mail').getJobCounts()).toMatchObject({ paused: 1, failed: 0 });
    await expect(service.failed('mails')).rejects.toThrow('Did you mean "mail"?');
  });

  it('jobs are kept, and have time limits', async () => {
    @Processor('reports')
    class ReportProcessor {
      @OnJob()
      run() {
        return 'done';
      }
    }
    const { ReportsModule } = await tracked();
    const app = await start({ imports: [ReportsModule], providers: [ReportProcessor] }, null);
    const { job } = await runJob(app, 'reports', 'print');
    expect(job.opts).toMatchObject({ timeoutMs: 60_000, ttlMs: 3_600_000 });
    expect(await queueOf(app, 'reports').getJobCounts()).toMatchObject({ completed: 1 });
  });
});

describe('starting and stopping', () => {
  interface Database {
    rows: string[];
    isOpen: boolean;
    insert(row: string): Promise<void>;
  }
  const stopping = block<{
    main(): Promise<INestApplicationContext>;
    Database: Type<Database>;
    AppModule: Type;
  }>('Starting and stopping');

  /** The page's application in the midst of a job, and what lets the job go on. */
  async function inTheMidst(app: INestApplicationContext, Database: Type<Database>) {
    const database = app.get<Database>(Database);
    const insert = database.insert.bind(database);
    let [begin, goOn] = [(): void => {}, (): void => {}];
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const resumed = new Promise<void>((resolve) => (goOn = resolve));
    vi.spyOn(database, 'insert').mockImplementationOnce(async (row) => {
      begin();
      await resumed;
      await insert(row);
    });
    const worker = workerOf(app, 'import');
    await queueOf(app, 'import').add('rows', ['a', 'b']);
    await begun;
    return { database, worker, goOn };
  }

  it('waits for running handlers, which can still add and find what they need', async () => {
    const { AppModule, Database } = await stopping();
    const app = await startModule(AppModule);
    const { database, worker, goOn } = await inTheMidst(app, Database);
    const completed = once(worker, 'completed');
    const closing = once(worker, 'closing');
    const closed = app.close();
    await closing;
    goOn();
    await Promise.all([completed, closed]);
    expect(database).toMatchObject({ rows: ['a', 'b'], isOpen: false });
    expect(await redis.client.xlen('{chasqui:import}:stream')).toBe(1); // imported
    expect(logs).toEqual([]);
  });

  it('does so on a signal', async () => {
    const { main } = await stopping();
    const before = process.listenerCount('SIGTERM');
    const app = await main();
    expect(process.listenerCount('SIGTERM')).toBe(before + 1); // test/nest/shutdown.test.ts sends one
    await app.close();
  });
});
