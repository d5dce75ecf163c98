import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import { firstValueFrom, Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ConfigError, Queue, Worker } from '../../lib/index.js';
import {
  CHASQUI_TRANSPORT,
  ChasquiClient,
  ChasquiContext,
  ChasquiRecord,
  ChasquiServer,
  type ChasquiServerOptions,
} from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { latch, OnEvent, useMicroservices } from './support/apps.js';

const redis = useRedis();
const { boot, serve, connect, open, logs, defer } = useMicroservices(redis);

@Controller()
class Idle {
  @OnEvent('idle')
  idle() {}
}

describe('a hybrid application', () => {
  it('serves HTTP and messages, and sends them with an injected client', async () => {
    const connection = { ...redis.connection };

    @Controller()
    class Shop {
      constructor(@Inject('ORDERS') private readonly orders: ClientProxy) {}

      @Get('price')
      price() {
        return this.orders.send<{ price: number }>('price', 'bread');
      }

      @MessagePattern('price')
      answer(@Payload() item: string, @Ctx() context: ChasquiContext) {
        return { price: item.length, attempt: context.getAttempt() };
      }

      @MessagePattern('elsewhere', Transport.TCP)
      elsewhere() {}

      @EventPattern({ only: 'here' }, CHASQUI_TRANSPORT)
      here() {}
    }
    @Module({
      imports: [
        ClientsModule.register([
          { name: 'ORDERS', customClass: ChasquiClient, options: { queue: 'orders', connection } },
        ]),
      ],
      controllers: [Shop],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    defer(() => app.close());
    const server = new ChasquiServer({ queue: 'orders', connection });
    app.connectMicroservice<MicroserviceOptions>({ strategy: server });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const { port } = (app.getHttpServer() as HttpServer).address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${String(port)}/price`);
    expect(await response.json()).toEqual({ price: 5, attempt: 1 });
    expect([...server.getHandlers().keys()].sort()).toEqual(['price', '{"only":"here"}']);
    await app.close();
    // The client was closed with the application.
    await expect(firstValueFrom(app.get<ClientProxy>('ORDERS').send('price', 'x'))).rejects.toMatchObject({
      code: 'CMQ-005',
    });
  });
});

describe('close', () => {
  it('lets running handlers finish, which can still send, and releases the rest with no attempt used', async () => {
    const started = latch<() => void>();
    const client = connect();
    @Controller()
    class Orders {
      @OnEvent('placed')
      async placed(@Payload() order: number) {
        await new Promise<void>((resolve) => {
          started.hit(resolve);
        });
        await firstValueFrom(client.emit('packed', order));
      }
    }
    const { app, server } = await serve({ controllers: [Orders] }, { concurrency: 1 });
    await firstValueFrom(client.emit('placed', 1));
    const [finish] = await started.reached;
    await firstValueFrom(client.emit('placed', 2));
    const closing = once(server.unwrap(), 'closing');
    const closed = app.close();
    await closing;
    finish?.();
    await closed;
    const left: unknown[] = [];
    const rest = latch<unknown>(2);
    const worker = new Worker('orders', (job) => rest.hit([job.name, job.data, job.attemptsMade]), {
      connection: redis.connection,
      concurrency: 1,
    });
    defer(() => worker.close());
    left.push(...(await rest.reached));
    expect(left).toEqual([
      ['placed', 2, 1],
      ['packed', 1, 1],
    ]);
  });

  it('aborts a handler after the grace time: its signal, and the subscription to its Observable', async () => {
    const started = latch<AbortSignal>();
    const unsubscribed = latch<string>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() _: unknown, @Ctx() context: ChasquiContext) {
        started.hit(context.getSignal());
        return new Observable(() => () => {
          unsubscribed.hit('unsubscribed');
        });
      }
    }
    const { app } = await serve({ controllers: [Orders] }, { shutdownDeadlineSecs: 0.01 });
    await firstValueFrom(connect().emit('placed', 1));
    const [signal] = await started.reached;
    await app.close();
    await unsubscribed.reached;
    expect(signal?.reason).toMatchObject({ code: 'CMQ-005' });
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
  });

  it('of server and client is idempotent, also before they were used', async () => {
    const connection = redis.connection;
    const server = new ChasquiServer({ queue: 'orders', connection });
    await Promise.all([server.close(), server.close()]);
    const client = new ChasquiClient({ queue: 'orders', connection });
    await Promise.all([client.close(), client.close()]);
    await expect(client.connect()).rejects.toMatchObject({ code: 'CMQ-005' });
  });
});

describe('status, on and unwrap', () => {
  it('of a server follow its worker', async () => {
    const { app, server } = await boot({ controllers: [Idle] });
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    const closed = latch<string>();
    server.on('closed', () => {
      closed.hit('closed');
    });
    await app.listen();
    expect(server.unwrap()).toBeInstanceOf(Worker);
    await app.close();
    expect(await closed.reached).toEqual(['closed']);
    expect(statuses).toEqual(['connected', 'closed']);
  });

  it('of a server say that Redis was away, and that it is back', async () => {
    const { server } = await serve({ controllers: [Idle] }, { blockMs: 100 });
    const statuses: string[] = [];
    const interrupted = latch<unknown>();
    const back = latch<unknown>(2);
    server.status.subscribe((status) => {
      statuses.push(status);
      if (status === 'interrupted') interrupted.hit(status);
      else back.hit(status);
    });
    await redis.server.kill();
    await interrupted.reached;
    await redis.server.restart();
    await firstValueFrom(connect().emit('idle', 1));
    await back.reached;
    expect(statuses).toEqual(['connected', 'interrupted', 'connected']);
    expect(logs).toContainEqual(expect.stringMatching(/^Queue "orders": /));
  });

  it('of a client follow its queue', async () => {
    const client = connect();
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    expect(await client.connect()).toBe(client.unwrap());
    expect(client.unwrap()).toBeInstanceOf(Queue);
    expect(() => {
      client.on();
    }).toThrow(expect.objectContaining({ code: 'CMQ-100' }));
    await client.close();
    expect(statuses).toEqual(['connected', 'closed']);
  });
});

describe('misuse', () => {
  const NOWHERE = { host: '127.0.0.1', port: 1 };

  it('a Redis that cannot be reached keeps the server from starting, and leaves nothing open', async () => {
    const options = { connection: NOWHERE, connectTimeoutMs: 200 };
    const { app, server } = await boot({ controllers: [Idle] }, options);
    await expect(app.listen()).rejects.toMatchObject({ code: 'CMQ-001' });
    expect(server.unwrap().isClosed).toBe(true);
    const client = connect(options);
    await expect(firstValueFrom(client.send('price', 1))).rejects.toMatchObject({ code: 'CMQ-001' });
    await expect(firstValueFrom(client.emit('placed', 1))).rejects.toMatchObject({ code: 'CMQ-001' });
    expect(await firstValueFrom(client.status)).toBe('interrupted');
  });

  it('a server without handlers does not start', async () => {
    const { app } = await boot({});
    await expect(app.listen()).rejects.toMatchObject({ name: 'NoPatternError', code: 'CMQ-342' });
  });

  it.each([
    ['two for requests', MessagePattern('price'), MessagePattern('price')],
    ['one for events after one for requests', MessagePattern('price'), OnEvent('price')],
    ['one for requests after one for events', OnEvent('price'), MessagePattern('price')],
  ])('two handlers of one pattern are refused: %s', async (_, first, second) => {
    @Controller()
    class Prices {
      @first
      one() {}
      @second
      two() {}
    }
    const { app } = await boot({ controllers: [Prices] });
    await expect(app.listen()).rejects.toMatchObject({
      name: 'DuplicatePatternError',
      code: 'CMQ-340',
      message: expect.stringContaining('"price" of the queue "orders"') as string,
    });
  });

  it('a pattern that cannot name a job is refused at boot', async () => {
    @Controller()
    class Prices {
      @MessagePattern('x'.repeat(257))
      price() {}
    }
    const { app } = await boot({ controllers: [Prices] });
    await expect(app.listen()).rejects.toMatchObject({ code: 'CMQ-341' });
  });

  it.each([
    [{}, 'option "queue" is missing'],
    [{ queue: 'orders' }, 'option "connection" is missing'],
    [{ queue: ' ', connection: NOWHERE }, 'option "queue" must be'],
    [{ queue: 'orders', connection: NOWHERE, concurency: 1 }, 'Did you mean "concurrency"?'],
    [{ queue: 'orders', connection: NOWHERE, storeResults: false }, 'unknown option "storeResults"'],
  ])('options of a server: %o', (options, message) => {
    expect(() => new ChasquiServer(options as ChasquiServerOptions)).toThrow(ConfigError);
    expect(() => new ChasquiServer(options as ChasquiServerOptions)).toThrow(message);
  });

  it.each([
    [{ connection: NOWHERE }, 'option "queue" is missing'],
    [{ queue: 'orders', connection: NOWHERE, timeout: 1 }, 'Did you mean "timeoutMs"?'],
    [{ queue: 'orders', connection: NOWHERE, timeoutMs: 'soon' }, 'option "timeoutMs" must be'],
  ])('options of a client: %o', (options, message) => {
    expect(() => new ChasquiClient(options as ConstructorParameters<typeof ChasquiClient>[0])).toThrow(
      message,
    );
  });

  it.each([
    ['send', { timeoutMs: 0 }, 'option "timeoutMs" must be'],
    ['send', { delay: 60_000 }, 'must be shorter than timeoutMs (30000)'],
    ['send', { repeat: { every: 1 } }, 'unknown option "repeat"'],
    ['send', { atempts: 1 }, 'Did you mean "attempts"?'],
    ['emit', { timeoutMs: 1 }, 'option "timeoutMs" is only for send'],
    ['emit', { delay: -1 }, 'delay must be'],
  ] as const)('options of a message: %s %o', async (method, options, message) => {
    const record = new ChasquiRecord(1, options as object);
    await expect(firstValueFrom(connect()[method]('price', record))).rejects.toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining(message) as string,
    });
    expect(await open().peekDlq()).toEqual([]);
    expect(await redis.client.exists('{chasqui:orders}:stream', '{chasqui:orders}:delayed')).toBe(0);
  });

  it('a message without data is refused', async () => {
    await expect(firstValueFrom(connect().send('price', undefined))).rejects.toThrow(
      'ChasquiClient.send: the data must not be undefined',
    );
    await expect(firstValueFrom(connect().emit('placed', null))).rejects.toThrow(
      'ChasquiClient.emit: the data must not be null',
    );
  });
});
