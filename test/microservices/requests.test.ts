import { BadRequestException, Controller, UseFilters, ValidationPipe } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { IsInt } from 'class-validator';
import { concat, EMPTY, firstValueFrom, lastValueFrom, of, throwError, toArray, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { UnrecoverableError, Worker } from '../../lib/index.js';
import {
  ChasquiContext,
  ChasquiExceptionFilter,
  ChasquiRecordBuilder,
} from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { ended, latch, useMicroservices, OnEvent } from './support/apps.js';
import { ask, errorOf } from './support/ask.js';

const redis = useRedis();
const { serve, connect, open, noDeadLetter, defer } = useMicroservices(redis);

const all = (replies: Observable<unknown>): Promise<unknown[]> => lastValueFrom(replies.pipe(toArray()));

describe('a reply', () => {
  it('is what the handler returned, Dates and bytes included', async () => {
    const value = {
      sum: 3,
      at: new Date(5),
      bytes: Buffer.from([1, 2]),
      none: null,
      list: ['a', { b: 1n << 60n }],
    };
    @Controller()
    class Maths {
      @MessagePattern({ cmd: 'sum' })
      async sum(@Payload() numbers: number[], @Ctx() context: ChasquiContext) {
        expect(context.getJob().data).toEqual([1, 2]);
        return Promise.resolve({ ...value, sum: numbers.reduce((a, b) => a + b) });
      }
    }
    await serve({ controllers: [Maths] });
    expect(await ask(connect(), { cmd: 'sum' }, [1, 2])).toEqual(value);
  });

  it('of a thousand requests at once finds the one that asked', async () => {
    @Controller()
    class Maths {
      @MessagePattern('double')
      double(@Payload() number: number) {
        return number * 2;
      }
    }
    await serve({ controllers: [Maths] });
    const client = connect();
    const numbers = Array.from({ length: 1_000 }, (_, index) => index + 1);
    expect(await Promise.all(numbers.map((number) => ask(client, 'double', number)))).toEqual(
      numbers.map((number) => number * 2),
    );
  });

  it('of an Observable is all that it emits, in order', async () => {
    @Controller()
    class Streams {
      @MessagePattern('three')
      three() {
        return of('a', null, { c: 3 });
      }
      @MessagePattern('none')
      none() {
        return EMPTY;
      }
      @MessagePattern('void')
      nothing() {}
      @MessagePattern('null')
      nil() {
        return null;
      }
    }
    await serve({ controllers: [Streams] });
    const client = connect();
    expect(await all(client.send('three', {}))).toEqual(['a', null, { c: 3 }]);
    expect(await all(client.send('none', {}))).toEqual([]);
    expect(await all(client.send('void', {}))).toEqual([]);
    expect(await all(client.send('null', {}))).toEqual([null]);
  });

  it('comes from an @EventPattern as well, as with other transports', async () => {
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed() {
        return 'receipt';
      }
    }
    await serve({ controllers: [Orders] });
    expect(await ask(connect(), 'placed')).toBe('receipt');
  });

  it('is requested again by each subscription', async () => {
    let calls = 0;
    @Controller()
    class Counter {
      @MessagePattern('next')
      next() {
        calls += 1;
        return calls;
      }
    }
    await serve({ controllers: [Counter] });
    const reply = connect().send('next', {});
    expect([await firstValueFrom(reply), await firstValueFrom(reply)]).toEqual([1, 2]);
  });

  it('that cannot be sent is an error that says so', async () => {
    @Controller()
    class Functions {
      @MessagePattern('function')
      fn() {
        return { fn: () => {} };
      }
    }
    await serve({ controllers: [Functions] });
    const error = await errorOf(ask(connect(), 'function'));
    expect(error.message).toMatch(/^The reply cannot be sent\. The data cannot be written as MessagePack/);
    expect(error.getError()).toMatchObject({ status: 'error', code: 'CMQ-002' });
  });
});

describe('an error of a request', () => {
  it('that is an RpcException is the answer: it reaches the caller, without a retry or a dead letter', async () => {
    let calls = 0;
    @Controller()
    class Orders {
      @MessagePattern('object')
      object() {
        calls += 1;
        throw new RpcException({ status: 404, message: 'no bread', item: 'bread' });
      }
      @MessagePattern('text')
      text() {
        calls += 1;
        throw new RpcException('no bread');
      }
      @MessagePattern('late')
      late() {
        calls += 1;
        return concat(
          of(1, 2),
          throwError(() => new RpcException({ status: 410, message: 'gone' })),
        );
      }
    }
    await serve({ controllers: [Orders] });
    const client = connect();
    const object = await errorOf(ask(client, 'object'));
    expect(object.message).toBe('no bread');
    expect(object.getError()).toEqual({ status: 404, message: 'no bread', item: 'bread' });
    expect((await errorOf(ask(client, 'text'))).getError()).toEqual({ status: 'error', message: 'no bread' });
    const values: unknown[] = [];
    const late = await errorOf(client.send('late', {}).forEach((value) => values.push(value)));
    expect(values).toEqual([1, 2]);
    expect(late.getError()).toEqual({ status: 410, message: 'gone' });
    expect(calls).toBe(3);
    await noDeadLetter();
  });

  it.each(['a value', 'a promise', 'an Observable', 'a filter'])(
    'that is returned as %s is one',
    async (how) => {
      const returned = { 'a value': (e: Error) => e, 'a promise': async (e: Error) => Promise.resolve(e) };
      @Controller()
      class Stock {
        @MessagePattern('reserve')
        @UseFilters(...(how === 'a filter' ? [{ catch: (error: Error) => of(error) }] : []))
        reserve(): unknown {
          const error = new RpcException('no stock');
          if (how === 'a filter') throw error;
          return how in returned ? returned[how as keyof typeof returned](error) : of(error);
        }
      }
      await serve({ controllers: [Stock] });
      expect((await errorOf(ask(connect(), 'reserve'))).message).toBe('no stock');
      await noDeadLetter();
    },
  );

  it('of another kind is tried again, while the caller waits', async () => {
    let calls = 0;
    @Controller()
    class Orders {
      @MessagePattern('price')
      price() {
        calls += 1;
        if (calls < 3) throw new Error('not yet');
        return 42;
      }
    }
    await serve({ controllers: [Orders] });
    expect(await ask(connect(), 'price')).toBe(42);
    await noDeadLetter();
  });

  it('when all attempts are used reaches the caller as Nest words it, with the cause beside it', async () => {
    @Controller()
    @UseFilters(ChasquiExceptionFilter)
    class Orders {
      @MessagePattern('price')
      price() {
        throw new Error('the database is down');
      }
      @MessagePattern('final')
      final() {
        throw new UnrecoverableError('broken for good');
      }
    }
    await serve({ controllers: [Orders] });
    const client = connect();
    const record = new ChasquiRecordBuilder({}).setOptions({ attempts: 2 }).build();
    const error = await errorOf(ask(client, 'price', record));
    const [letter] = await open().peekDlq();
    expect(error.getError()).toEqual({
      status: 'error',
      message: 'Internal server error',
      jobId: letter?.jobId,
    });
    expect(letter).toMatchObject({
      reason: 'retries_exhausted',
      attempts: 2,
      detail: 'the database is down',
    });
    expect(error.cause).toMatchObject({
      code: 'CMQ-103',
      message: expect.stringContaining('retries_exhausted (the database is down)') as string,
    });
    expect((await errorOf(ask(client, 'final'))).cause).toMatchObject({
      message: expect.stringContaining('unrecoverable (broken for good)') as string,
    });
  });

  it('of a pipe, or any client error over HTTP, is an answer with its status', async () => {
    class Pair {
      @IsInt()
      a!: number;
    }
    @Controller()
    @UseFilters(ChasquiExceptionFilter)
    class Maths {
      @MessagePattern('square')
      square(@Payload(new ValidationPipe()) { a }: Pair) {
        return a * a;
      }
      @MessagePattern('plain')
      plain() {
        throw new BadRequestException('no');
      }
    }
    await serve({ controllers: [Maths] });
    const client = connect();
    expect(await ask(client, 'square', { a: 3 })).toBe(9);
    const error = await errorOf(ask(client, 'square', { a: 'three' }));
    expect(error.getError()).toMatchObject({ status: 400, message: ['a must be an integer number'] });
    expect((await errorOf(ask(client, 'plain'))).getError()).toMatchObject({ status: 400, message: 'no' });
    await noDeadLetter();
  });

  it('without a handler comes at once and names the pattern', async () => {
    @Controller()
    class Orders {
      @MessagePattern('order.price')
      price() {}
    }
    await serve({ controllers: [Orders] });
    const error = await errorOf(ask(connect(), 'order.prize'));
    expect(error.getError()).toEqual({
      status: 'error',
      code: 'CMQ-343',
      message: 'No handler for the pattern "order.prize" of the queue "orders". Did you mean "order.price"?',
    });
    await noDeadLetter();
  });

  it('names the problem if another kind of worker reads the queue', async () => {
    const worker = new Worker('orders', () => 1, { connection: redis.connection, storeResults: true });
    defer(() => worker.close());
    await expect(ask(connect(), 'price')).rejects.toMatchObject({ name: 'NoReplyError', code: 'CMQ-345' });
  });
});

describe('a request without a reply', () => {
  it('ends with its timeout, and is taken back if it has not started', async () => {
    const client = connect({ timeoutMs: 20 });
    const record = new ChasquiRecordBuilder({}).setOptions({ delay: 10 }).build();
    await expect(ask(client, 'price', record)).rejects.toMatchObject({
      name: 'RequestTimeoutError',
      code: 'CMQ-344',
      message: expect.stringMatching(
        /^No reply to "price" \(job \S+ of queue "orders"\) within 20 ms/,
      ) as string,
    });
    await client.close();
    expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(0);
  });

  it('has the timeout of its record', async () => {
    const record = new ChasquiRecordBuilder({}).setOptions({ timeoutMs: 7 }).build();
    await expect(ask(connect(), 'price', record)).rejects.toThrow('within 7 ms');
  });

  it('is taken back when the subscriber leaves while it waits for a retry', async () => {
    let calls = 0;
    @Controller()
    class Orders {
      @MessagePattern('price')
      price() {
        calls += 1;
        throw new Error('not yet');
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const failed = latch<string>();
    worker.on('failed', ({ id }) => {
      failed.hit(id);
    });
    const client = connect();
    const record = new ChasquiRecordBuilder({})
      .setOptions({ backoff: { type: 'fixed', delay: 60_000 } })
      .build();
    const subscription = client.send('price', record).subscribe();
    await failed.reached;
    expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(1);
    subscription.unsubscribe();
    await client.close();
    expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(0);
    expect(calls).toBe(1);
  });

  it('is not even added when the subscriber leaves at once', async () => {
    const client = connect();
    client.send('price', {}).subscribe().unsubscribe();
    await client.connect();
    await client.close();
    expect(await redis.client.exists('{chasqui:orders}:stream')).toBe(0);
  });

  it('ends when its client is closed', async () => {
    const client = connect();
    const added = latch<unknown>();
    await client.connect();
    const reply = ask(client, 'price');
    // The reply is waited for once the job is there.
    const watcher = new Worker('orders', () => new Promise<void>(() => {}), { connection: redis.connection });
    watcher.on('active', added.hit);
    defer(() => watcher.close(true));
    await added.reached;
    const closing = client.close();
    await expect(reply).rejects.toMatchObject({ code: 'CMQ-005' });
    await closing;
  });
});

describe('a request with a jobId', () => {
  it('runs once for all callers, and all get its reply', async () => {
    let calls = 0;
    @Controller()
    class Orders {
      @MessagePattern('charge')
      charge() {
        calls += 1;
        return { charged: calls };
      }
    }
    await serve({ controllers: [Orders] });
    const record = new ChasquiRecordBuilder({}).setOptions({ jobId: 'charge:7' }).build();
    const [one, two] = [connect(), connect()];
    const replies = await Promise.all([one, two, one].map((client) => ask(client, 'charge', record)));
    expect([...replies, await ask(two, 'charge', record)]).toEqual(Array(4).fill({ charged: 1 }));
    expect(calls).toBe(1);
  });
});

describe('a server that is slow to come, or loses its connections', () => {
  it('answers what was asked before it was there', async () => {
    @Controller()
    class Orders {
      @MessagePattern('price')
      price() {
        return 42;
      }
    }
    const reply = ask(connect(), 'price');
    await serve({ controllers: [Orders] });
    expect(await reply).toBe(42);
  });

  it('answers though all connections broke while it worked', async () => {
    const started = latch<() => void>();
    @Controller()
    class Orders {
      @MessagePattern('price')
      price() {
        return new Promise((resolve) => {
          started.hit(() => {
            resolve(42);
          });
        });
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    worker.removeAllListeners('error').on('error', () => {});
    const done = ended(worker);
    const reply = ask(connect(), 'price');
    const [finish] = await started.reached;
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    finish?.();
    expect(await reply).toBe(42);
    await done;
  });
});
