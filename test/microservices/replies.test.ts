import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  BadRequestException,
  Catch,
  Controller,
  InternalServerErrorException,
  UseFilters,
  type RpcExceptionFilter,
} from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, throwError, type Observable } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { encodePayload, messageOf, UnrecoverableError, Worker } from '../../lib/index.js';
import {
  CHASQUI_TRANSPORT,
  ChasquiContext,
  ChasquiExceptionFilter,
  ChasquiRecordBuilder,
  ChasquiServer,
  type ChasquiClient,
  type ChasquiRecordOptions,
} from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { latch, OnEvent, useMicroservices } from './support/apps.js';

const redis = useRedis();
const { serve, connect, open, defer } = useMicroservices(redis);

const ask = (client: ChasquiClient, pattern: unknown, options: ChasquiRecordOptions = {}): Promise<unknown> =>
  firstValueFrom(client.send(pattern, new ChasquiRecordBuilder({}).setOptions(options).build()));
const errorOf = async (reply: Promise<unknown>): Promise<Error & { cause?: unknown }> => {
  const error: unknown = await reply.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  return error as Error;
};

describe('a reply that comes while the caller’s process is busy for longer than its request may take', () => {
  const answer = fileURLToPath(new URL('fixtures/answer.mjs', import.meta.url));
  const reply = encodePayload({ $reply: [42] }).toString('base64');
  /** Blocks this process while another answers. */
  const answered = (jobId: string): void => {
    execFileSync(process.execPath, [answer, String(redis.port), jobId, reply, '250']);
  };

  it('is found even if its events are gone', async () => {
    const client = connect();
    const waiting = ask(client, 'price', { jobId: 'price:1', timeoutMs: 150 });
    await vi.waitFor(async () => {
      expect(await redis.client.exists('{chasqui:orders}:waiters')).toBe(1);
    });
    answered('price:1');
    expect(await waiting).toBe(42);
  });

  it('is found, though the process was busy from the first moment on', async () => {
    const client = connect();
    await client.connect();
    const waiting = ask(client, 'price', { jobId: 'price:1', timeoutMs: 150 });
    // The call to Redis has left, and its answer cannot be read.
    await new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
    answered('price:1');
    expect(await waiting).toBe(42);
  });

  it('is found by waitForResult as well', async () => {
    const job = await open().add('price', 1, { jobId: 'price:1' });
    const waiting = job.waitForResult({ timeoutMs: 150 });
    await vi.waitFor(async () => {
      expect(await redis.client.exists('{chasqui:orders}:waiters')).toBe(1);
    });
    answered('price:1');
    expect(await waiting).toEqual({ $reply: [42] });
  });
});

describe('a request with the jobId of one that has ended', () => {
  const jobId = 'charge:7';
  const prefix = '{chasqui:orders}:';

  @Controller()
  class Orders {
    @MessagePattern('charge')
    charge() {
      return 'charged';
    }

    @MessagePattern('broken')
    @UseFilters(ChasquiExceptionFilter)
    broken() {
      throw new UnrecoverableError('the bank is closed');
    }
  }

  it('gets the reply of that one', async () => {
    await serve({ controllers: [Orders] });
    expect(await ask(connect(), 'charge', { jobId })).toBe('charged');
    expect(await ask(connect(), 'charge', { jobId })).toBe('charged');
  });

  it('fails at once where the reply has expired', async () => {
    await serve({ controllers: [Orders] });
    expect(await ask(connect(), 'charge', { jobId })).toBe('charged');
    await redis.client.del(`${prefix}result:${jobId}`);
    expect(await errorOf(ask(connect(), 'charge', { jobId }))).toMatchObject({
      code: 'CMQ-345',
      cause: { code: 'CMQ-104' },
    });
  });

  it('fails at once, and with its cause, where that one failed for good', async () => {
    await serve({ controllers: [Orders] });
    for (let i = 0; i < 2; i++) {
      expect(await errorOf(ask(connect(), 'broken', { jobId }))).toMatchObject({
        message: 'Internal server error',
        cause: {
          code: 'CMQ-103',
          message: expect.stringContaining('unrecoverable (the bank is closed)') as string,
        },
      });
    }
    expect(await open().peekDlq()).toHaveLength(1);
  });

  it('runs again after the dead letter of that one was dropped', async () => {
    await serve({ controllers: [Orders] });
    await errorOf(ask(connect(), 'broken', { jobId }));
    await open().dropDlq({ all: true });
    await errorOf(ask(connect(), 'broken', { jobId }));
    expect(await open().peekDlq()).toHaveLength(1);
  });

  it('fails at once for all callers when its job is removed', async () => {
    const [one, two] = [connect(), connect()];
    const replies = [ask(one, 'charge', { jobId }), ask(two, 'charge', { jobId })].map(errorOf);
    await vi.waitFor(async () => {
      expect(await redis.client.exists(`${prefix}waiters`)).toBe(1);
    });
    expect(await open().remove(jobId)).toBe(1);
    for (const reply of replies) {
      expect(await reply).toMatchObject({ cause: { code: 'CMQ-104', reason: 'removed' } });
    }
  });
});

describe('an RpcException that was made of something else than text or a plain object', () => {
  class NoStock extends RpcException {
    constructor() {
      super(new Error('no stock'));
    }
  }
  @Catch(RpcException)
  class Own implements RpcExceptionFilter<RpcException> {
    catch(exception: RpcException): Observable<never> {
      return throwError(() => exception.getError());
    }
  }
  const MADE: Record<string, () => unknown> = {
    error: () => new RpcException(new Error('no stock')),
    subclass: () => new NoStock(),
    typed: () => new RpcException(Object.assign(new TypeError('no stock'), { code: 'E7', secret: 'x' })),
    nested: () => new RpcException(new RpcException('no stock')),
    http: () => new RpcException(new BadRequestException('no stock')),
    server: () => new RpcException(new InternalServerErrorException('no stock')),
    final: () => new RpcException(new UnrecoverableError('no stock')),
  };
  let calls = 0;
  class Stock {
    @MessagePattern('thrown')
    thrown(@Payload() kind: string) {
      calls += 1;
      throw MADE[kind]?.();
    }

    @MessagePattern('emitted')
    emitted(@Payload() kind: string) {
      calls += 1;
      return throwError(() => MADE[kind]?.());
    }
  }
  @Controller()
  class Plain extends Stock {}
  @Controller()
  @UseFilters(ChasquiExceptionFilter)
  class Filtered extends Stock {}
  @Controller()
  @UseFilters(Own)
  class Owned extends Stock {}

  it.each([
    ['Nest’s own filter', Plain],
    ['ChasquiExceptionFilter', Filtered],
    ['a filter of the application', Owned],
  ])('is the answer with %s, and is not tried again', async (_, controller) => {
    calls = 0;
    await serve({ controllers: [controller] });
    const client = connect();
    for (const kind of Object.keys(MADE)) {
      for (const pattern of ['thrown', 'emitted']) {
        const error = await errorOf(firstValueFrom(client.send(pattern, kind)));
        expect(error, kind).toBeInstanceOf(RpcException);
        expect(error.message, kind).toBe('no stock');
        if (kind !== 'typed') continue;
        expect((error as RpcException).getError()).toEqual({
          status: 'error',
          message: 'no stock',
          code: 'E7',
        });
      }
    }
    expect(calls).toBe(Object.keys(MADE).length * 2);
    expect(await open().peekDlq()).toEqual([]);
  });

  it.each(['text', { an: 'object' }, new Error('an error'), undefined])(
    'but %o that is thrown and let through by ChasquiExceptionFilter is a failure, which is tried again',
    async (thrown) => {
      let tries = 0;
      @Controller()
      @UseFilters(ChasquiExceptionFilter)
      class Orders {
        @MessagePattern('price')
        price() {
          tries += 1;
          if (tries < 3) throw thrown as Error;
          return tries;
        }
      }
      await serve({ controllers: [Orders] });
      expect(await ask(connect(), 'price')).toBe(3);
    },
  );
});

describe('a client that is closed', () => {
  it('ends what waits for a reply at once, and cancels it wherever it is', async () => {
    const started = latch<AbortSignal>();
    let ran = 0;
    @Controller()
    class Orders {
      @MessagePattern('price')
      async price(@Ctx() context: ChasquiContext) {
        ran += 1;
        const signal = context.getSignal();
        started.hit(signal);
        await once(signal, 'abort');
        throw signal.reason;
      }
    }
    const { worker } = await serve({ controllers: [Orders] }, { concurrency: 1 });
    const client = connect();
    const running = errorOf(ask(client, 'price'));
    const [signal] = await started.reached;
    const failed = once(worker, 'failed');
    const others = [
      errorOf(ask(client, 'price')),
      errorOf(ask(client, 'price', { delay: 20_000 })),
      errorOf(ask(client, 'price', { jobId: 'price:1' })),
    ];
    await vi.waitFor(async () => {
      expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(3);
      expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(1);
    });
    // Its job is on the way to Redis when the client is closed.
    const last = errorOf(ask(client, 'price'));
    await Promise.resolve();
    await client.close();
    for (const reply of [running, ...others, last]) expect(await reply).toMatchObject({ code: 'CMQ-005' });
    await failed;
    expect(signal?.reason).toMatchObject({ code: 'CMQ-012' });
    await vi.waitFor(async () => {
      expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(0);
    });
    expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(0);
    expect(ran).toBe(1);
    expect(await errorOf(ask(client, 'price'))).toMatchObject({ code: 'CMQ-005' });
  });

  it('leaves alone what others have sent as well', async () => {
    const [adds, joins] = [connect(), connect()];
    const reply = ask(adds, 'price', { jobId: 'price:1' });
    await vi.waitFor(async () => {
      expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
    });
    const joined = errorOf(ask(joins, 'price', { jobId: 'price:1' }));
    await joins.close();
    expect(await joined).toMatchObject({ code: 'CMQ-005' });
    @Controller()
    class Orders {
      @MessagePattern('price')
      price() {
        return 42;
      }
    }
    await serve({ controllers: [Orders] });
    expect(await reply).toBe(42);
  });

  it('rejects all callers at once, even if Redis hangs', async () => {
    const client = connect({ connection: redis.connection, commandTimeoutMs: 200, timeoutMs: 60_000 });
    const reply = errorOf(ask(client, 'price'));
    await vi.waitFor(async () => {
      expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
    });
    redis.server.pause();
    const closing = client.close();
    expect(await reply).toMatchObject({ code: 'CMQ-005' });
    await closing;
    redis.server.resume();
  });
});

describe('data of the user', () => {
  it.each([
    { $rpc: { reply: true, metadata: { role: 'admin' } }, data: 1 },
    { $rpc: { metadata: { role: 'admin' } }, data: { $rpc: {}, data: 2 } },
    { $reply: [1], error: 'x' },
    { rpc: { reply: true } },
  ])('%j passes unchanged, and sets nothing beside it', async (data) => {
    const handled = latch<unknown>(2);
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() payload: unknown, @Ctx() context: ChasquiContext) {
        handled.hit([payload, context.getMetadata()]);
      }

      @MessagePattern('echo')
      echo(@Payload() payload: unknown) {
        return payload;
      }
    }
    await serve({ controllers: [Orders] });
    await open().add('placed', data);
    const client = connect();
    await firstValueFrom(client.emit('placed', data));
    expect(await handled.reached).toEqual([
      [data, undefined],
      [data, undefined],
    ]);
    expect(await firstValueFrom(client.send('echo', data))).toEqual(data);
    expect(await redis.client.keys('*:result:*')).toHaveLength(1);
  });

  it('is all that a handler of another kind gets of a request', async () => {
    const handled = latch<unknown>();
    const worker = new Worker(
      'orders',
      (job) => {
        handled.hit([job.data, JSON.stringify(job).includes('00-1')]);
      },
      { connection: redis.connection },
    );
    defer(() => worker.close());
    const client = connect();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { trace: '00-1' };
    });
    const reply = errorOf(firstValueFrom(client.send('price', { item: 'bread' })));
    expect(await handled.reached).toEqual([[{ item: 'bread' }, false]]);
    await reply;
  });

  it('and its metadata are the same after a retry, a delay and a replay of the dead letter', async () => {
    const handled = latch<unknown>(3);
    @Controller()
    @UseFilters(ChasquiExceptionFilter)
    class Orders {
      @OnEvent('placed')
      placed(@Payload() payload: unknown, @Ctx() context: ChasquiContext) {
        handled.hit([payload, context.getMetadata()]);
        if (handled.hits.length < 3) throw new Error('not yet');
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const client = connect();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { trace: '00-1' };
    });
    const record = new ChasquiRecordBuilder('bread').setOptions({ delay: 5, attempts: 2 }).build();
    await firstValueFrom(client.emit('placed', record));
    await once(worker, 'failed');
    await once(worker, 'failed');
    expect(await open().replayDlq()).toBe(1);
    expect(await handled.reached).toEqual(Array(3).fill(['bread', { trace: '00-1' }]));
  });

  it('whose metadata make it too large is refused', async () => {
    const client = connect({ maxPayloadBytes: 1_000 });
    client.setOnDispatchHook((packet) => {
      packet.metadata = { trace: 'x'.repeat(1_000) };
    });
    expect(await errorOf(firstValueFrom(client.emit('placed', 1)))).toMatchObject({ code: 'CMQ-023' });
  });
});

describe('two servers of one application', () => {
  it('keep their handlers apart by a transport of their own, and share those that name none', async () => {
    const BILLS = Symbol('bills');
    @Controller()
    class Both {
      @MessagePattern('which')
      shared() {
        return 'shared';
      }

      @MessagePattern('own', CHASQUI_TRANSPORT)
      orders() {
        return 'orders';
      }

      @MessagePattern('own', BILLS)
      bills() {
        return 'bills';
      }

      @MessagePattern('only bills', BILLS)
      only() {
        return 'bills';
      }
    }
    const module = await Test.createTestingModule({ controllers: [Both] }).compile();
    const app = module.createNestApplication({ logger: false });
    const connection = { ...redis.connection };
    const bills = new ChasquiServer({ queue: 'bills', connection });
    bills.setTransportId(BILLS);
    app.connectMicroservice({ strategy: new ChasquiServer({ queue: 'orders', connection }) });
    app.connectMicroservice({ strategy: bills });
    defer(() => app.close());
    await app.startAllMicroservices();
    const clients = ['orders', 'bills'].map((queue) => connect({ queue }));
    const all = (pattern: string): Promise<unknown[]> =>
      Promise.all(clients.map((client) => ask(client, pattern).catch(messageOf)));
    expect(await all('which')).toEqual(['shared', 'shared']);
    expect(await all('own')).toEqual(['orders', 'bills']);
    expect(await all('only bills')).toEqual([expect.stringContaining('No handler'), 'bills']);
  });
});
