import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Worker, type Job } from '../../lib/index.js';
import type { ChasquiContext } from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { latch, useMicroservices, OnEvent } from './support/apps.js';

const redis = useRedis();
const { serve, connect, open, defer } = useMicroservices(redis);

const send = (pattern: unknown, data: unknown): Promise<Job> => firstValueFrom(connect().emit(pattern, data));

describe('patterns', () => {
  it('are normalized as Nest does it: objects by their sorted keys, numbers as text', async () => {
    const handled = latch<unknown>(2);
    @Controller()
    class Orders {
      @OnEvent({ entity: 'order', cmd: 'place' })
      place(@Payload() data: unknown) {
        handled.hit(data);
      }
      @OnEvent(7)
      seven(@Payload() data: unknown) {
        handled.hit(data);
      }
    }
    await serve({ controllers: [Orders] });
    const { name } = await send({ cmd: 'place', entity: 'order' }, 'object');
    await send(7, 'number');
    expect((await handled.reached).sort()).toEqual(['number', 'object']);
    expect(name).toBe('{"cmd":"place","entity":"order"}');
  });

  it.each([[Symbol('placed')], [true], [''], [' '], ['x'.repeat(257)], [{ cmd: 'x'.repeat(257) }]])(
    'that cannot name a job are refused: %s',
    async (pattern) => {
      await expect(send(pattern, 1)).rejects.toMatchObject({ name: 'InvalidPatternError', code: 'CMQ-341' });
    },
  );
});

describe('other parties of the queue', () => {
  it('Queue.add reaches @EventPattern', async () => {
    const handled = latch<unknown>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() data: unknown) {
        handled.hit(data);
      }
    }
    await serve({ controllers: [Orders] });
    await open().add('placed', { item: 'bread' });
    expect(await handled.reached).toEqual([{ item: 'bread' }]);
  });

  it('emit reaches a plain worker', async () => {
    const handled = latch<unknown>();
    const worker = new Worker('orders', (job) => handled.hit([job.name, job.data]), {
      connection: redis.connection,
    });
    defer(() => worker.close());
    await send('placed', { item: 'bread' });
    expect(await handled.reached).toEqual([['placed', { item: 'bread' }]]);
  });

  it('data that looks like an envelope of ours stays what it is', async () => {
    const handled = latch<unknown>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() data: unknown, @Ctx() context: ChasquiContext) {
        handled.hit([data, context.getMetadata()]);
      }
    }
    await serve({ controllers: [Orders] });
    const data = { $rpc: { reply: true }, data: 1 };
    await send('placed', data);
    expect(await handled.reached).toEqual([[data, undefined]]);
  });

  it('metadata of a dispatch hook reaches the context', async () => {
    const handled = latch<unknown>();
    @Controller()
    class Orders {
      @OnEvent('placed')
      placed(@Payload() data: unknown, @Ctx() context: ChasquiContext) {
        handled.hit([data, context.getJob().data, context.getMetadata()]);
      }
    }
    await serve({ controllers: [Orders] });
    const client = connect();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-1' };
    });
    await firstValueFrom(client.emit('placed', 'data'));
    expect(await handled.reached).toEqual([['data', 'data', { traceparent: '00-1' }]]);
  });
});
