import { Controller, Logger, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { EMPTY, firstValueFrom, lastValueFrom, Observable } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { UnrecoverableError, type Job } from '../../lib/index.js';
import {
  ChasquiContext,
  ChasquiExceptionFilter,
  ChasquiRecordBuilder,
} from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { ended, latch, useMicroservices, OnEvent } from './support/apps.js';

const redis = useRedis();
const { serve, connect, open, logs } = useMicroservices(redis);

const send = (pattern: unknown, data: unknown): Promise<Job> => firstValueFrom(connect().emit(pattern, data));

describe('emit', () => {
  it('emits the job once it is in Redis, with no server needed; a server runs it later', async () => {
    const handled = latch<unknown>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() data: unknown, @Ctx() context: ChasquiContext) {
        handled.hit([data, context.getPattern(), context.getJob().id, context.getAttempt()]);
      }
    }
    const job = await send('placed', { item: 'bread' });
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
    await serve({ controllers: [Orders] });
    expect(await handled.reached).toEqual([[{ item: 'bread' }, 'placed', job.id, 1]]);
  });

  it('sends once, with or without a subscriber, and late subscribers get the job', async () => {
    const emitted = connect().emit('placed', 1);
    await lastValueFrom(emitted);
    expect(await firstValueFrom(emitted)).toMatchObject({ name: 'placed', data: 1 });
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
  });

  it('takes options of the job from a record', async () => {
    const client = connect();
    const record = new ChasquiRecordBuilder({ to: 'Ada' })
      .setOptions({ delay: 60_000 })
      .setOptions({ jobId: 'a' });
    expect(await firstValueFrom(client.emit('remind', record.build()))).toMatchObject({
      id: 'a',
      duplicate: false,
    });
    expect(await firstValueFrom(client.emit('remind', record.build()))).toMatchObject({
      id: 'a',
      duplicate: true,
    });
    expect(await redis.client.zcard('{chasqui:orders}:delayed')).toBe(1);
  });

  it('hands what Redis refuses to the subscriber, and to the log where there is none', async () => {
    const client = connect({ maxStreamLen: 1 });
    await firstValueFrom(client.emit('placed', 1));
    await expect(firstValueFrom(client.emit('placed', 2))).rejects.toMatchObject({ code: 'CMQ-006' });
    const logged = latch<string>();
    vi.spyOn(Logger.prototype, 'error').mockImplementation(logged.hit);
    client.emit('placed', 3);
    expect(await logged.reached).toEqual([
      expect.stringMatching(/^Event not sent to queue "orders": Queue .* is full/),
    ]);
  });
});

@Controller()
class Idle {
  @OnEvent('order.placed')
  idle() {}
}

describe('an event', () => {
  it('is tried again until its handler succeeds', async () => {
    const attempts: number[] = [];
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Ctx() context: ChasquiContext) {
        attempts.push(context.getAttempt());
        if (attempts.length < 3) throw new Error('not yet');
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const done = ended(worker);
    await send('placed', 1);
    await done;
    expect(attempts).toEqual([1, 2, 3]);
    expect(await open().peekDlq()).toEqual([]);
  });

  it('goes to the dead letters when its attempts are used, and can be replayed', async () => {
    let isDown = true;
    @Controller()
    @UseFilters(ChasquiExceptionFilter)
    class Orders {
      @OnEvent('placed')
      placed() {
        if (isDown) throw new Error('the mail server is down');
      }
    }
    const { worker } = await serve({ controllers: [Orders] }, { maxAttempts: 2 });
    const dead = ended(worker);
    await send('placed', { item: 'bread' });
    await dead;
    expect(await open().peekDlq()).toMatchObject([
      {
        name: 'placed',
        data: { item: 'bread' },
        reason: 'retries_exhausted',
        detail: 'the mail server is down',
      },
    ]);
    expect(logs).toContainEqual(
      expect.stringMatching(/Message \S+ "placed" .*attempt 2: the mail server is down/),
    );
    isDown = false;
    const replayed = ended(worker);
    await open().replayDlq();
    await replayed;
    expect(await open().peekDlq()).toEqual([]);
  });

  it("has only Nest's text without the filter", async () => {
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed() {
        throw new Error('secret');
      }
    }
    const { worker } = await serve({ controllers: [Orders] }, { maxAttempts: 1 });
    const dead = ended(worker);
    await send('placed', 1);
    await dead;
    expect(await open().peekDlq()).toMatchObject([{ detail: 'Internal server error' }]);
  });

  it('is not tried again after an UnrecoverableError', async () => {
    let calls = 0;
    @Controller()
    @UseFilters(ChasquiExceptionFilter)
    class Orders {
      @OnEvent('placed')
      async placed() {
        calls += 1;
        throw new UnrecoverableError('no such item');
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const dead = ended(worker);
    await send('placed', 1);
    await dead;
    expect(calls).toBe(1);
    expect(await open().peekDlq()).toMatchObject([{ reason: 'unrecoverable', detail: 'no such item' }]);
  });

  it('without a handler goes to the dead letters at once, with the nearest pattern', async () => {
    const { worker } = await serve({ controllers: [Idle] });
    const dead = ended(worker);
    await send('order.palced', 1);
    await dead;
    expect(await open().peekDlq()).toMatchObject([
      {
        reason: 'unrecoverable',
        detail:
          'No handler for the pattern "order.palced" of the queue "orders". Did you mean "order.placed"?',
      },
    ]);
  });

  it('with several handlers is done when all of them are, though one ends without a value', async () => {
    const runs: string[] = [];
    @Controller()
    class Orders {
      @OnEvent('placed')
      silent() {
        runs.push('silent');
        return EMPTY;
      }
      @OnEvent('placed')
      async failing(@Ctx() context: ChasquiContext) {
        await Promise.resolve();
        runs.push('failing');
        if (context.getAttempt() === 1) throw new Error('not yet');
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const done = ended(worker);
    await send('placed', 1);
    await done;
    expect(runs).toEqual(['silent', 'failing', 'silent', 'failing']);
  });

  it('whose handler returns an Observable is done when that is', async () => {
    const subscribed = latch<() => void>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed() {
        return new Observable<number>((subscriber) => {
          subscriber.next(1);
          subscribed.hit(() => {
            subscriber.complete();
          });
        });
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const done = ended(worker);
    await send('placed', 1);
    const [complete] = await subscribed.reached;
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
    complete?.();
    await done;
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(0);
  });

  it('leaves no result behind, also where a @MessagePattern handles it', async () => {
    @Controller()
    class Orders {
      @MessagePattern('placed')
      placed() {
        return 'receipt';
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const done = ended(worker);
    await send('placed', 1);
    await done;
    expect(await redis.client.keys('*:result:*')).toEqual([]);
  });
});
