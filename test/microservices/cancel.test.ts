import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { ChasquiContext, ChasquiRecordBuilder } from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { latch, useMicroservices } from './support/apps.js';
import { ask, errorOf } from './support/ask.js';

const redis = useRedis();
const { serve, connect, noDeadLetter, logs } = useMicroservices(redis);

describe('a request whose caller no longer waits', () => {
  it('is taken back when it waits in the stream', async () => {
    const client = connect({ timeoutMs: 50 });
    await expect(ask(client, 'price')).rejects.toMatchObject({ code: 'CMQ-344' });
    await client.close();
    expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(0);
  });

  it.each([
    ['when the subscriber leaves', 60_000],
    ['when its time is over', 60],
  ])('ends the handler that runs for it, %s', async (_, timeoutMs) => {
    const torn = latch<unknown>();
    const started = latch<AbortSignal>();
    @Controller()
    class Orders {
      @MessagePattern('prices')
      prices(@Ctx() context: ChasquiContext) {
        return new Observable(() => {
          started.hit(context.getSignal());
          return () => {
            torn.hit(context.getSignal().reason);
          };
        });
      }
    }
    const { worker } = await serve({ controllers: [Orders] });
    const failed = latch<Error>();
    worker.on('failed', (__, error) => {
      failed.hit(error);
    });
    const errors = latch<unknown>();
    const subscription = connect({ timeoutMs }).send('prices', {}).subscribe({ error: errors.hit });
    const [signal] = await started.reached;
    expect(signal?.aborted).toBe(false);
    if (timeoutMs === 60) expect(await errors.reached).toMatchObject([{ code: 'CMQ-344' }]);
    else subscription.unsubscribe();
    expect(await torn.reached).toMatchObject([{ code: 'CMQ-012' }]);
    expect(await failed.reached).toMatchObject([{ name: 'JobCancelledError' }]);
    await noDeadLetter();
    expect(logs.filter((line) => line.includes('failed'))).toEqual([]);
  });

  it('never runs where it was fetched and waits for a handler', async () => {
    const gate = latch<() => void>();
    const seen: unknown[] = [];
    @Controller()
    class Orders {
      @MessagePattern('price')
      price(@Payload() data: unknown) {
        seen.push(data);
        if (data !== 'busy') return data;
        return new Promise((resolve) => {
          gate.hit(() => {
            resolve('free');
          });
        });
      }
    }
    await serve({ controllers: [Orders] }, { concurrency: 1 });
    const client = connect();
    await Promise.all(Array.from({ length: 100 }, (_, i) => ask(client, 'price', i)));
    const busy = ask(client, 'price', 'busy');
    const [free] = await gate.reached;
    await expect(
      ask(client, 'price', new ChasquiRecordBuilder('late').setOptions({ timeoutMs: 50 }).build()),
    ).rejects.toMatchObject({ code: 'CMQ-344' });
    await vi.waitFor(async () => {
      expect(await redis.client.xlen('{chasqui:orders}:stream')).toBe(1);
    });
    free?.();
    expect(await busy).toBe('free');
    expect(await ask(client, 'price', 'next')).toBe('next');
    expect(seen).not.toContain('late');
  });

  it('is cancelled only by the caller that added it, and the other callers get an error', async () => {
    const started = latch<AbortSignal>();
    @Controller()
    class Orders {
      @MessagePattern('charge')
      async charge(@Ctx() context: ChasquiContext) {
        const signal = context.getSignal();
        started.hit(signal);
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        throw signal.reason;
      }
    }
    await serve({ controllers: [Orders] });
    const record = new ChasquiRecordBuilder({}).setOptions({ jobId: 'charge:7' }).build();
    const [adds, joins] = [connect(), connect()];
    const first = adds.send('charge', record).subscribe();
    const [signal] = await started.reached;
    const brief = new ChasquiRecordBuilder({}).setOptions({ jobId: 'charge:7', timeoutMs: 30 }).build();
    await expect(ask(joins, 'charge', brief)).rejects.toMatchObject({ code: 'CMQ-344' });
    await joins.close();
    expect(signal?.aborted).toBe(false);
    const stays = connect();
    const added = vi.spyOn(stays.unwrap(), 'add');
    const other = errorOf(ask(stays, 'charge', record));
    await vi.waitFor(() => {
      expect(added).toHaveResolved();
    });
    first.unsubscribe();
    expect((await other).cause).toMatchObject({
      message: expect.stringContaining('failed for good: cancelled') as string,
    });
    await noDeadLetter();
  });
});
