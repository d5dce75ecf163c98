import 'reflect-metadata';
import {
  Module,
  type CanActivate,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { call } from '../bull-board/support/boards.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/dashboard.md', redis);

const nest = block<{ AppModule: Type; AdminGuard: Type }>('Mount it in Nest');
const readOnly = block<{ boardFor(guard: Type<CanActivate>): DynamicModule }>('Read-only');
const plain = block<{ boardOf(queues: readonly Queue[]): RequestListener }>('Without Nest');

it('makes one queue read-only', async () => {
  class Open implements CanActivate {
    canActivate(): boolean {
      return true;
    }
  }
  const { AppModule } = await nest();
  const { boardFor } = await readOnly();

  @Module({ imports: [AppModule, boardFor(Open)] })
  class TwoBoardsModule {}
  const app = await NestFactory.create(TwoBoardsModule, { logger: SILENT, abortOnError: false });
  try {
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/support/api/queues`;
    expect((await call(`${url}/orders/pause`, 'PUT')).status).toBe(405);
    expect((await call(`${url}/mail/pause`, 'PUT')).status).toBe(200);
  } finally {
    await app.close();
  }
});

it('mounts a board with a guard', async () => {
  process.env['ADMIN_TOKEN'] = 'secret';
  const { AppModule } = await nest();
  const app: INestApplication = await NestFactory.create(AppModule, { logger: SILENT, abortOnError: false });
  try {
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/admin/queues/api/queues`;
    expect((await call(url, 'GET')).status).toBe(403);
    const { body } = await call(url, 'GET', undefined, { authorization: 'Bearer secret' });
    expect(body.queues.map(({ name }) => name)).toEqual(['mail', 'orders']);
  } finally {
    await app.close();
  }
});

it('mounts a board without Nest', async () => {
  const { boardOf } = await plain();
  await using queue = new Queue('emails', { connection: redis.connection });
  const router = boardOf([queue]);
  const server = createServer(router).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    expect((await call(`${origin}/`, 'GET')).text).toContain('<base href="/admin/queues/"');
    expect((await call(`${origin}/api/queues`, 'GET')).body.queues).toMatchObject([{ name: 'emails' }]);
    expect((await call(`${origin}/api/queues/emails/none`, 'GET')).status).toBe(404);
  } finally {
    server.close();
  }
});
