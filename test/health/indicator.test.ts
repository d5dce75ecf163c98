import { once } from 'node:events';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ChasquiHealthIndicator } from '../../lib/health/index.js';
import {
  ChasquiModule,
  ChasquiWorkers,
  OnJob,
  Processor,
  UnrecoverableError,
  getQueueToken,
  type ChasquiModuleOptions,
} from '../../lib/index.js';
import { FakeQueue } from '../../lib/testing/index.js';
import { queueOf, runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const { start } = useApps(redis);

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  send() {}
  @OnJob('poison')
  poison() {
    throw new UnrecoverableError('never');
  }
}

const HEALTH = { imports: [TerminusModule], providers: [ChasquiHealthIndicator] };

function app(root: Partial<ChasquiModuleOptions> = {}): Promise<INestApplicationContext> {
  return start(
    {
      imports: [...HEALTH.imports, ChasquiModule.forFeature('mail', 'reports')],
      providers: [...HEALTH.providers, MailProcessor],
    },
    root,
  );
}

function health(of: INestApplicationContext): ChasquiHealthIndicator {
  return of.get(ChasquiHealthIndicator, { strict: false });
}

afterEach(() => {
  redis.server.resume();
});

describe('checkConnection', () => {
  it('is up, with address and latency', async () => {
    const { redis: result } = await health(await app()).checkConnection('redis');
    expect(result).toEqual({
      status: 'up',
      connections: {
        default: {
          address: `127.0.0.1:${redis.port}`,
          status: 'ready',
          latencyMs: expect.any(Number) as number,
        },
      },
    });
  });

  it('answers within its timeout while Redis hangs, and recovers', async () => {
    const indicator = health(await app({ commandTimeoutMs: 60_000 }));
    redis.server.pause();
    const begun = performance.now();
    const results = await Promise.all(
      [1, 2, 3].map(() => indicator.checkConnection('redis', { timeoutMs: 100 })),
    );
    expect(performance.now() - begun).toBeLessThan(5_000);
    for (const result of results) {
      expect(result.redis).toMatchObject({
        status: 'down',
        message: expect.stringMatching(/127\.0\.0\.1:\d+ .*no answer within 100 ms: it hangs/) as string,
      });
    }
    redis.server.resume();
    expect(await indicator.checkConnection('redis')).toMatchObject({ redis: { status: 'up' } });
  });

  it('says what is wrong while Redis is away, and recovers when it is back', async () => {
    const running = await app({ workerOptions: { blockMs: 20 } });
    const indicator = health(running);
    const gone = once(workerOf(running, 'mail'), 'error');
    await redis.server.kill();
    await gone;
    const { redis: down } = await indicator.checkConnection('redis', { timeoutMs: 200 });
    expect(down).toMatchObject({
      status: 'down',
      message: expect.stringContaining('is not connected') as string,
    });
    expect(JSON.stringify(down)).toContain('ECONNREFUSED');
    await redis.server.restart();
    expect(await indicator.checkConnection('redis', { timeoutMs: 10_000 })).toMatchObject({
      redis: { status: 'up' },
    });
  });

  it('checks each connection once, or those that are named', async () => {
    const running = await start({
      imports: [
        ...HEALTH.imports,
        ChasquiModule.forRoot({ name: 'slow', connection: { ...redis.connection, db: 1 } }),
        ChasquiModule.forFeature(
          'mail',
          'reports',
          { name: 'slow-one', connectionName: 'slow' },
          { name: 'apart', connection: redis.url },
        ),
      ],
      providers: HEALTH.providers,
    });
    const indicator = health(running);
    const all = await indicator.checkConnection('redis');
    expect(Object.keys((all.redis as unknown as { connections: object }).connections).sort()).toEqual([
      'default',
      'of queue apart',
      'slow',
    ]);
    const one = await indicator.checkConnection('redis', { connections: ['slow'] });
    expect(Object.keys((one.redis as unknown as { connections: object }).connections)).toEqual(['slow']);
    await expect(indicator.checkConnection('redis', { connections: ['slo'] })).rejects.toThrow(
      'Did you mean "slow"?',
    );
  });

  it.each(['checkConnection', 'checkWorkers', 'checkBacklog'] as const)(
    'names %s in the error for a wrong argument',
    async (method) => {
      const app = await start({ ...HEALTH, imports: [...HEALTH.imports, ChasquiModule.forFeature('mail')] });
      const indicator = health(app);
      for (const [key, options, problem] of [
        [undefined, {}, 'the key must be a string that is not blank, not undefined'],
        ['x', null, 'options must be an object, not null'],
        ['x', 5, 'options must be an object, not 5'],
        ['x', { timeout: 'soon', queue: [] }, 'unknown option'],
      ] as const) {
        await expect(indicator[method](key as never, options as never)).rejects.toMatchObject({
          code: 'CMQ-004',
          message: expect.stringContaining(`ChasquiHealthIndicator.${method}: ${problem}`) as string,
        });
      }
    },
  );

  it('does not check a queue that a test has replaced with a fake', async () => {
    @Module({
      imports: [
        ...HEALTH.imports,
        ChasquiModule.forRoot({ connection: 'redis://127.0.0.1:1', workers: false }),
        ChasquiModule.forFeature('mail'),
      ],
      providers: HEALTH.providers,
    })
    class AppModule {}
    const compiled = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(getQueueToken('mail'))
      .useValue(new FakeQueue('mail'))
      .compile();
    const running = await compiled.init();
    expect(await health(running).checkConnection('redis')).toEqual({
      redis: { status: 'up', connections: {} },
    });
    await running.close();
  });
});

describe('checkWorkers', () => {
  it('is up, with the state of each worker', async () => {
    const running = await app();
    await runJob(running, 'mail', 'send');
    const { workers } = await health(running).checkWorkers('workers');
    expect(workers).toMatchObject({
      status: 'up',
      workers: {
        mail: {
          state: 'running',
          running: 0,
          concurrency: 100,
          failures: 0,
          leasesLost: 0,
          consumer: workerOf(running, 'mail').id,
        },
      },
    });
  });

  it('is down when reads are not answered, and recovers', async () => {
    const running = await app({ workerOptions: { blockMs: 20 } });
    const indicator = health(running);
    const failed = new Promise<void>((resolve) => {
      workerOf(running, 'mail').on('error', ({ message }) => {
        if (message.includes('blocking read')) resolve();
      });
    });
    redis.server.pause();
    await failed;
    const { workers } = await indicator.checkWorkers('workers', { maxUnansweredMs: 1_000 });
    expect(workers).toMatchObject({
      status: 'down',
      message: expect.stringMatching(/queue "mail" has had no answer from Redis for 1\.\d s/) as string,
    });
    // The default leaves room for the block time and ten seconds.
    expect(await indicator.checkWorkers('workers')).toMatchObject({ workers: { status: 'up' } });
    redis.server.resume();
    await runJob(running, 'mail', 'send');
    expect(await indicator.checkWorkers('workers', { maxUnansweredMs: 1_000 })).toMatchObject({
      workers: { status: 'up' },
    });
  });

  it('reports a stopped worker as a fault only with requireRunning', async () => {
    const running = await app();
    const indicator = health(running);
    await running.get(ChasquiWorkers, { strict: false }).stop('mail');
    expect(await indicator.checkWorkers('workers')).toEqual({
      workers: { status: 'up', workers: { mail: { state: 'stopped' } } },
    });
    expect(await indicator.checkWorkers('workers', { requireRunning: true })).toMatchObject({
      workers: {
        status: 'down',
        message: expect.stringContaining("ChasquiWorkers.start('mail')") as string,
      },
    });
  });

  it('is down in a process without workers, unless allowNone is set', async () => {
    const indicator = health(await app({ workers: false }));
    expect(await indicator.checkWorkers('workers')).toEqual({
      workers: {
        status: 'down',
        workers: {},
        message: expect.stringMatching(/This process has no worker\. .* allowNone: true/) as string,
      },
    });
    expect(await indicator.checkWorkers('workers', { allowNone: true })).toEqual({
      workers: { status: 'up', workers: {} },
    });
  });
});

describe('checkBacklog', () => {
  it('is up and counts, without thresholds', async () => {
    const running = await app({ workers: false });
    await queueOf(running, 'mail').add('send', {});
    await queueOf(running, 'mail').add('send', {}, { delay: 60_000 });
    const { backlog } = await health(running).checkBacklog('backlog');
    expect(backlog).toMatchObject({
      status: 'up',
      queues: {
        mail: { waiting: 1, delayed: 1, due: 0, deadLetters: 0 },
        reports: { waiting: 0, delayed: 0, due: 0, deadLetters: 0 },
      },
    });
  });

  it('is down above a threshold, and says what to do', async () => {
    const running = await app();
    const indicator = health(running);
    await runJob(running, 'mail', 'poison');
    expect(await indicator.checkBacklog('backlog', { maxDeadLetters: 1 })).toMatchObject({
      backlog: { status: 'up' },
    });
    expect(await indicator.checkBacklog('backlog', { queues: ['mail'], maxDeadLetters: 0 })).toMatchObject({
      backlog: {
        status: 'down',
        message: expect.stringMatching(
          /^Queue "mail": deadLetters is 1, above maxDeadLetters \(0\): .*peekDlq/,
        ) as string,
      },
    });
    expect(await indicator.checkBacklog('backlog', { queues: ['reports'], maxDeadLetters: 0 })).toMatchObject(
      { backlog: { status: 'up' } },
    );
  });

  it('is up while the queue is paused: its jobs wait because somebody wants them to', async () => {
    const running = await app({ workers: false });
    await queueOf(running, 'mail').add('send', {});
    const check = (): Promise<object> =>
      health(running).checkBacklog('backlog', { queues: ['mail'], maxWaiting: 0 });
    expect(await check()).toMatchObject({ backlog: { status: 'down' } });
    await queueOf(running, 'mail').pause();
    const since = expect.any(Number) as number;
    expect(await check()).toMatchObject({
      backlog: { status: 'up', queues: { mail: { waiting: 1, paused: true, pausedSince: since } } },
    });
  });

  it('counts the waiting jobs of the consumer group of its workers', async () => {
    const running = await app({ workerOptions: { group: 'blue' } });
    await runJob(running, 'mail', 'send');
    await running.get(ChasquiWorkers, { strict: false }).stop('mail');
    await queueOf(running, 'mail').add('send', {});
    expect(await health(running).checkBacklog('backlog', { queues: ['mail'] })).toMatchObject({
      backlog: { queues: { mail: { waiting: 1, active: 0 } } },
    });
  });

  it('answers within its timeout while Redis hangs, and sends nothing meanwhile', async () => {
    const running = await app({ workers: false, commandTimeoutMs: 60_000 });
    const indicator = health(running);
    await redis.client.config('RESETSTAT');
    redis.server.pause();
    for (let probe = 0; probe < 3; probe++) {
      expect(await indicator.checkBacklog('backlog', { timeoutMs: 50 })).toMatchObject({
        backlog: { status: 'down', message: expect.stringContaining('within 50 ms') as string },
      });
    }
    redis.server.resume();
    // It waits for the one PING that is under way.
    await indicator.checkConnection('redis');
    const stats = await redis.client.info('commandstats');
    expect(Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1])).toBe(1);
    expect(stats).not.toContain('cmdstat_eval');
  });
});

describe('options', () => {
  it.each([
    ['checkConnection', { timeoutMS: 5 }, 'Did you mean "timeoutMs"?'],
    ['checkConnection', { timeoutMs: 0 }, 'option "timeoutMs" must be a whole number'],
    ['checkWorkers', { queues: ['mai'] }, 'Did you mean "mail"?'],
    ['checkBacklog', { queues: ['mai'] }, 'Did you mean "mail"?'],
    ['checkBacklog', { maxWaitng: 5 }, 'Did you mean "maxWaiting"?'],
  ] as const)('%s(%j)', async (check, options, hint) => {
    const indicator = health(await app());
    await expect(indicator[check]('x', options as never)).rejects.toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining(hint) as string,
    });
  });
});

it('adds up with others in a health check of terminus', async () => {
  const running = await app();
  const service = running.get(HealthCheckService, { strict: false });
  const indicator = health(running);
  const result = await service.check([
    () => indicator.checkConnection('redis'),
    () => indicator.checkWorkers('workers'),
    () => indicator.checkBacklog('backlog'),
  ]);
  expect(result.status).toBe('ok');
  expect(Object.keys(result.details)).toEqual(['redis', 'workers', 'backlog']);
  await running.get(ChasquiWorkers, { strict: false }).stop('mail');
  const failed: unknown = await service
    .check([() => indicator.checkWorkers('workers', { requireRunning: true })])
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({
    status: 503,
    response: { status: 'error', error: { workers: { status: 'down' } } },
  });
});
