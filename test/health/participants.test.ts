import { Controller, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { ClientsModule, MessagePattern } from '@nestjs/microservices';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { ChasquiHealthIndicator } from '../../lib/health/index.js';
import { ChasquiModule } from '../../lib/index.js';
import { ChasquiClient, ChasquiServer } from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  redis.server.resume();
  for (const close of closing.splice(0).reverse()) await close();
});

@Controller()
class Orders {
  @MessagePattern('price')
  price() {
    return 42;
  }
}

const connection = () => ({ ...redis.connection });

async function application(metadata: ModuleMetadata, servers: ChasquiServer[] = []) {
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [TerminusModule, ...(metadata.imports ?? [])],
    providers: [ChasquiHealthIndicator, ...(metadata.providers ?? [])],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  closing.push(() => app.close());
  for (const strategy of servers) app.connectMicroservice({ strategy });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

function health(app: INestApplicationContext): ChasquiHealthIndicator {
  return app.get(ChasquiHealthIndicator, { strict: false });
}

describe.each([
  ['an application without ChasquiModule', () => []],
  [
    'an application without a queue of its own',
    () => [ChasquiModule.forRoot({ connection: connection(), workers: false })],
  ],
])('in %s', (_, imports) => {
  it('a ChasquiServer is checked: its connection, its worker and its queue', async () => {
    const server = new ChasquiServer({
      queue: 'orders',
      connection: connection(),
      blockMs: 20,
      commandTimeoutMs: 500,
    });
    const indicator = health(await application({ imports: imports(), controllers: [Orders] }, [server]));
    server.on('error', () => undefined);
    expect(await indicator.checkConnection('redis', { timeoutMs: 5_000 })).toMatchObject({
      redis: { status: 'up', connections: { 'of ChasquiServer orders': { status: 'ready' } } },
    });
    expect(await indicator.checkWorkers('workers', { queues: ['orders'] })).toMatchObject({
      workers: { status: 'up', workers: { orders: { state: 'running' } } },
    });
    expect(await indicator.checkBacklog('backlog', { timeoutMs: 5_000 })).toMatchObject({
      backlog: { status: 'up', queues: { orders: { waiting: 0 } } },
    });
    const failed = new Promise<void>((resolve) => {
      server.on('error', ({ message }) => {
        if (message.includes('blocking read')) resolve();
      });
    });
    redis.server.pause();
    expect(await indicator.checkConnection('redis', { timeoutMs: 100 })).toMatchObject({
      redis: { status: 'down', message: expect.stringContaining('of ChasquiServer orders') as string },
    });
    expect(await indicator.checkBacklog('backlog', { timeoutMs: 100 })).toMatchObject({
      backlog: { status: 'down' },
    });
    await failed;
    expect(await indicator.checkWorkers('workers', { maxUnansweredMs: 1_000 })).toMatchObject({
      workers: { status: 'down' },
    });
    redis.server.resume();
    expect(await indicator.checkConnection('redis', { timeoutMs: 8_000 })).toMatchObject({
      redis: { status: 'up' },
    });
    await server.close();
    expect(await indicator.checkConnection('redis')).toMatchObject({ redis: { status: 'down' } });
  });

  it('a ChasquiClient is checked, also before it is used', async () => {
    const app = await application({
      imports: [
        ...imports(),
        ClientsModule.register([
          {
            name: 'ORDERS',
            customClass: ChasquiClient,
            options: { queue: 'orders', connection: connection(), commandTimeoutMs: 500 },
          },
        ]),
      ],
    });
    const indicator = health(app);
    const checks = [
      (timeoutMs: number) => indicator.checkConnection('it', { timeoutMs }),
      (timeoutMs: number) => indicator.checkBacklog('it', { timeoutMs }),
    ];
    for (const check of checks) expect(await check(5_000)).toMatchObject({ it: { status: 'up' } });
    await firstValueFrom(app.get<ChasquiClient>('ORDERS').emit('placed', {}));
    redis.server.pause();
    for (const check of checks) {
      expect(await check(100)).toMatchObject({
        it: { status: 'down', message: expect.stringContaining('of ChasquiClient orders') as string },
      });
    }
  });

  it('nothing is up where there is nothing to check', async () => {
    const indicator = health(await application({ imports: imports() }));
    for (const result of [
      await indicator.checkConnection('it'),
      await indicator.checkBacklog('it'),
      await indicator.checkBacklog('it', { queues: [] }),
      await indicator.checkWorkers('it'),
      await indicator.checkWorkers('it', { queues: [] }),
    ]) {
      expect(result).toMatchObject({
        it: { status: 'down', message: expect.stringMatching(/Nothing was checked|no worker/) as string },
      });
    }
  });
});

it('servers and queues with the same name have their own keys', async () => {
  const shared = connection();
  const servers = ['orders', 'orders', 'mail'].map((queue, index) => {
    const server = new ChasquiServer({ queue, connection: index === 0 ? connection() : shared });
    closing.push(() => server.close());
    return server;
  });
  const indicator = health(
    await application(
      {
        imports: [ChasquiModule.forRoot({ connection: connection() }), ChasquiModule.forFeature('mail')],
        controllers: [Orders],
      },
      servers,
    ),
  );
  const keys = (result: object): string[] =>
    Object.keys(Object.values(result)[0] as object)
      .filter((key) => key !== 'status')
      .flatMap((key) => Object.keys((Object.values(result)[0] as Record<string, object>)[key] ?? {}))
      .sort();
  expect(keys(await indicator.checkConnection('it'))).toEqual([
    'default',
    'of ChasquiServer orders',
    'of ChasquiServer orders (2)',
  ]);
  expect(keys(await indicator.checkWorkers('it'))).toEqual(['mail', 'orders', 'orders (ChasquiServer)']);
  expect(keys(await indicator.checkBacklog('it'))).toEqual([
    'mail',
    'mail (ChasquiServer)',
    'orders',
    'orders (ChasquiServer)',
  ]);
});

it('a server that is not started, or was stopped, is a fault only with requireRunning', async () => {
  const server = new ChasquiServer({ queue: 'orders', connection: connection() });
  const indicator = health(await application({ controllers: [Orders] }, [server]));
  await server.unwrap().close();
  expect(await indicator.checkWorkers('it')).toMatchObject({ it: { status: 'up' } });
  expect(await indicator.checkWorkers('it', { requireRunning: true })).toMatchObject({
    it: { status: 'down', message: expect.stringContaining('app.startAllMicroservices()') as string },
  });
});
