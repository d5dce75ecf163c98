import {
  Catch,
  Controller,
  Inject,
  Injectable,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type RpcExceptionFilter,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, RpcException, type RequestContext } from '@nestjs/microservices';
import { firstValueFrom, map, of, type Observable } from 'rxjs';
import { expect, it } from 'vitest';
import { ChasquiContext } from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { ended, latch, OnEvent, useMicroservices } from './support/apps.js';

const redis = useRedis();
const { boot, serve, connect, open } = useMicroservices(redis);

@Injectable()
class Prices {
  of(item: string) {
    return item.length;
  }
}

@Injectable()
class OnlyBread implements CanActivate {
  constructor(private readonly prices: Prices) {}

  canActivate(context: ExecutionContext) {
    const { item } = context.switchToRpc().getData<{ item: string }>();
    const job = context.switchToRpc().getContext<ChasquiContext>().getJob();
    return job.queueName === 'orders' && this.prices.of(item) === 5;
  }
}

@Injectable()
class Doubled implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => [value, value]));
  }
}

@Catch(RangeError)
class RangeFilter implements RpcExceptionFilter<RangeError> {
  catch(error: RangeError, host: ArgumentsHost): Observable<unknown> {
    const context = host.switchToRpc().getContext<ChasquiContext>();
    return of(`${context.getPattern()}: ${error.message}`);
  }
}

@Controller()
@UseInterceptors(Doubled)
class Shop {
  constructor(private readonly prices: Prices) {}

  @MessagePattern('price')
  @UseGuards(OnlyBread)
  price(@Payload('item') item: string) {
    return this.prices.of(item);
  }

  @MessagePattern('count')
  count(@Payload('count', ParseIntPipe) count: number) {
    return count;
  }

  @MessagePattern('filtered')
  @UseFilters(RangeFilter)
  filtered() {
    throw new RangeError('too many');
  }
}

it('guards, pipes, interceptors and filters run, with their dependencies', async () => {
  await serve({ controllers: [Shop], providers: [Prices] }, { maxAttempts: 1 });
  const client = connect();
  expect(await firstValueFrom(client.send('price', { item: 'bread' }))).toEqual([5, 5]);
  expect(await firstValueFrom(client.send('count', { count: '3' }))).toEqual([3, 3]);
  expect(await firstValueFrom(client.send('filtered', {}))).toBe('filtered: too many');
});

it('a refusal by a guard is the answer to a request, and is not tried again', async () => {
  await serve({ controllers: [Shop], providers: [Prices] });
  const refused: unknown = await firstValueFrom(connect().send('price', { item: 'wine' })).catch(
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(RpcException);
  expect((refused as RpcException).getError()).toEqual({ status: 'error', message: 'Forbidden resource' });
  expect(await open().peekDlq()).toEqual([]);
});

it('a refused event becomes a dead letter with the reason when its attempts are used', async () => {
  @Controller()
  @UseGuards(OnlyBread)
  class Orders {
    @OnEvent('placed')
    placed() {}
  }
  const { worker } = await serve({ controllers: [Orders], providers: [Prices] }, { maxAttempts: 1 });
  const dead = ended(worker);
  await firstValueFrom(connect().emit('placed', { item: 'wine' }));
  await dead;
  expect(await open().peekDlq()).toMatchObject([{ detail: 'Forbidden resource' }]);
});

it('global enhancers of the application run', async () => {
  @Controller()
  class Prices {
    @MessagePattern('price')
    price() {
      return 1;
    }
  }
  const { app } = await boot({ controllers: [Prices] });
  app.useGlobalInterceptors(new Doubled());
  await app.listen();
  expect(await firstValueFrom(connect().send('price', {}))).toEqual([1, 1]);
});

it('request-scoped controllers get an instance for each message, with the message', async () => {
  const handled = latch<unknown[]>(2);
  let instances = 0;
  @Controller({ scope: Scope.REQUEST })
  class Orders {
    readonly #instance: number;

    constructor(@Inject(REQUEST) private readonly request: RequestContext<unknown, ChasquiContext>) {
      this.#instance = ++instances;
    }

    @OnEvent('placed')
    placed(@Payload() data: unknown, @Ctx() context: ChasquiContext) {
      const { request } = this;
      handled.hit([this.#instance, data, request.getData() === data, request.getContext() === context]);
    }
  }
  await serve({ controllers: [Orders] }, { concurrency: 1 });
  const client = connect();
  await firstValueFrom(client.emit('placed', 'a'));
  await firstValueFrom(client.emit('placed', 'b'));
  expect(await handled.reached).toEqual([
    [1, 'a', true, true],
    [2, 'b', true, true],
  ]);
});
