import { Controller, Get, Injectable, Module, Post, UseGuards, type CanActivate } from '@nestjs/common';
import type { ExecutionContext, INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import {
  ChasquiModule,
  InjectQueue,
  JobData,
  JobExecutionContext,
  OnJob,
  Processor,
  type Queue,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { runJob } from './support/apps.js';

const redis = useRedis();

@Injectable()
class AnyContextGuard implements CanActivate {
  static readonly seen: string[] = [];
  canActivate(context: ExecutionContext): boolean {
    AnyContextGuard.seen.push(`${context.getType<string>()} ${String(JobExecutionContext.is(context))}`);
    return true;
  }
}

@Injectable()
class Refusing implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('orders')
@Processor('orders')
class OrderController {
  @InjectQueue('orders') private readonly orders!: Queue;

  @Get()
  list(): string[] {
    return ['bread'];
  }

  @Post()
  async add(): Promise<string> {
    const { id } = await this.orders.add('place', { item: 'bread' }, { jobId: 'posted', delay: 60_000 });
    return id;
  }

  @OnJob('place')
  place(@JobData('item') item: string): string {
    return `placed ${item}`;
  }

  @OnJob('guarded')
  @UseGuards(Refusing)
  guarded(): string {
    return 'not reached';
  }
}

it('one controller serves routes and jobs, with the same global enhancers', async () => {
  @Module({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection, globalEnhancers: { guards: true } }),
      ChasquiModule.forFeature('orders'),
    ],
    controllers: [OrderController],
    providers: [{ provide: APP_GUARD, useClass: AnyContextGuard }],
  })
  class AppModule {}
  const compiled = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app: INestApplication = compiled.createNestApplication();
  await app.listen(0, '127.0.0.1');
  try {
    const url = await app.getUrl();
    expect(await (await fetch(`${url}/orders`)).json()).toEqual(['bread']);
    expect(await (await fetch(`${url}/orders`, { method: 'POST' })).text()).toBe('posted');
    expect(await runJob(app, 'orders', 'place', { item: 'wine' })).toMatchObject({ result: 'placed wine' });
    expect(await runJob(app, 'orders', 'guarded')).toMatchObject({ error: { code: 'CMQ-323' } });
    expect(AnyContextGuard.seen).toEqual(['http false', 'http false', 'chasqui true', 'chasqui true']);
  } finally {
    await app.close();
  }
});
