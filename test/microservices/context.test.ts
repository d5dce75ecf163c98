import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom, map, toArray } from 'rxjs';
import { expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';
import { useMicroservices } from './support/apps.js';

const redis = useRedis();
const { serve, connect } = useMicroservices(redis);

const storage = new AsyncLocalStorage<string>();

it('operators and awaiting code run in the context of the request that sent it', async () => {
  @Controller()
  class Maths {
    @MessagePattern('echo')
    echo(@Payload() value: string) {
      const found = storage.getStore() ?? 'nothing';
      storage.enterWith(value);
      return found;
    }

    @MessagePattern('fail')
    fail() {
      throw new Error('x');
    }
  }
  await serve({ controllers: [Maths] }, { maxAttempts: 1 });
  const client = connect();
  const requests = Array.from({ length: 30 }, (_, index) => `request ${String(index)}`);
  const seen = await Promise.all(
    requests.map((request) =>
      storage.run(request, async () => {
        const replies = client.send<string>('echo', request).pipe(
          map((found) => [found, storage.getStore()]),
          toArray(),
        );
        const inOperator = await lastValueFrom(replies);
        const inCatch = await new Promise<unknown>((resolve) => {
          client.send('fail', {}).subscribe({
            error: () => {
              resolve(storage.getStore());
            },
          });
        });
        const inNext = await new Promise<unknown>((resolve) => {
          client.emit('echo', request).subscribe(() => {
            resolve(storage.getStore());
          });
        });
        return [...inOperator, inCatch, inNext, storage.getStore()];
      }),
    ),
  );
  expect(seen).toEqual(requests.map((request) => [['nothing', request], request, request, request]));
});
