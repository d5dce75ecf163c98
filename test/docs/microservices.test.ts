import type { INestApplication, INestMicroservice, Type } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RpcException } from '@nestjs/microservices';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { firstValueFrom, ignoreElements, lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChasquiClient, ChasquiServer } from '../../lib/microservices/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/microservices.md', redis);

const handle = block<{ app: INestMicroservice }>('Handle messages');
const retries = block<{ server: ChasquiServer }>('Handle messages', 2);
const hybrid = block<{ app: INestApplication }>('Hybrid applications');
const twoServers = block<{ app: INestApplication }>('Two servers in one application');
const send = block<{ ShopModule: Type }>('Send messages');
const record = block<{ remind(orders: ChasquiClient, item: string): void }>('Send messages', 2);

const cancelling = block<{ RatesController: Type }>('What retries mean for a request');

const apps: { close(): Promise<unknown> }[] = [];

beforeEach(() => {
  Logger.overrideLogger(false);
});

afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
});

/** The application that sends: its address, its client, and the queue. */
async function shop() {
  const app = await NestFactory.create((await send()).ShopModule, { logger: false });
  apps.push(app);
  const client = app.get<ChasquiClient>('ORDERS', { strict: false });
  const url = await listening(app);
  return { url, client, queue: client.unwrap() };
}

async function listening(app: INestApplication): Promise<string> {
  const server = app.getHttpServer() as Server;
  if (!server.listening) await app.listen(0, '127.0.0.1');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** What a request is answered with that is answered with an error. */
async function refusal(client: ChasquiClient, pattern: unknown, data: unknown): Promise<unknown> {
  const error: unknown = await lastValueFrom(client.send(pattern, data).pipe(ignoreElements())).catch(
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(RpcException);
  return (error as RpcException).getError();
}

function place(url: string, order: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify(order) });
}

describe('a service and its client', () => {
  it('an event waits for the service, and is handled', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const { url, queue } = await shop();
    const response = await place(url, { item: 'bread', count: 2 });
    const { accepted } = (await response.json()) as { accepted: string };
    expect(await queue.getBacklog()).toMatchObject({ waiting: 1 });

    apps.push((await handle()).app);
    await waitForJob(queue, accepted, 'completed');
    expect(log).toHaveBeenCalledWith('packing 2 × bread');
  });

  it('a request gets its reply, or the error that the handler answered with', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    apps.push((await handle()).app);
    const { url, client } = await shop();
    expect(await (await fetch(`${url}/price/bread`)).json()).toBe(250);
    expect(log).toHaveBeenCalledWith('asked by job', expect.stringMatching(/^\w{26}$/), 'attempt', 1);

    expect(await refusal(client, { cmd: 'price' }, { item: 'gold' })).toEqual({
      status: 404,
      message: 'there is no gold',
    });
  });

  it('a request without a handler gets an answer, and such an event becomes a dead letter', async () => {
    apps.push((await handle()).app);
    const { client, queue } = await shop();
    expect(await refusal(client, 'nobody', 1)).toMatchObject({ code: 'CMQ-343' });
    const { id } = await firstValueFrom(client.emit('nobody', 1));
    expect(await waitForJob(queue, id, 'dlq')).toMatchObject({ reason: 'unrecoverable' });
  });

  it('a plain job of that name is an event', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    apps.push((await handle()).app);
    const { queue } = await shop();
    const { id } = await queue.add('order.placed', { item: 'wine', count: 1 });
    await waitForJob(queue, id, 'completed');
    expect(log).toHaveBeenCalledWith('packing 1 × wine');
  });

  it('options of one message are those of its job', async () => {
    const { remind } = await record();
    const { client, queue } = await shop();
    remind(client, 'bread');
    remind(client, 'bread'); // the same jobId: one job
    await waitForJob(queue, 'remind:bread', 'delayed');
    expect(await queue.getBacklog()).toMatchObject({ delayed: 1, waiting: 0 });
  });
});

it('the retries of a server are set as its worker takes them', async () => {
  const { server } = await retries();
  expect(server.unwrap().opts).toMatchObject({
    maxAttempts: 5,
    retry: { initialBackoffMs: 1_000, multiplier: 2, maxBackoffMs: 30_000, jitterMs: 100 },
  });
  await server.close();
});

it('a hybrid application handles messages and serves HTTP', async () => {
  vi.stubEnv('PORT', '0');
  const { app } = await hybrid();
  apps.push(app);
  const { queue, client } = await shop();
  const { id } = await firstValueFrom(client.emit('order.placed', { item: 'olives' }));
  await waitForJob(queue, id, 'completed');
  expect(await (await fetch(`${await listening(app)}/packed`)).json()).toEqual(['olives']);
});

it('two servers of one application have handlers of their own', async () => {
  apps.push((await twoServers()).app);
  const totals = ['orders', 'bills'].map((queue) => {
    const client = new ChasquiClient({ queue, connection: redis.connection });
    apps.push(client);
    return firstValueFrom(client.send('total', {}));
  });
  expect(await Promise.all(totals)).toEqual(['of all orders', 'of all bills']);
});

it('a request whose caller leaves ends what its handler waits for', async () => {
  const { RatesController } = await cancelling();
  let reached: (signal: AbortSignal) => void = () => undefined;
  const asked = new Promise<AbortSignal>((resolve) => {
    reached = resolve;
  });
  vi.stubGlobal('fetch', (_url: string, { signal }: { signal: AbortSignal }) => {
    reached(signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  });
  const options = { queue: 'rates', connection: redis.connection };
  const server = await NestFactory.createMicroservice(
    { module: class {}, controllers: [RatesController] },
    { strategy: new ChasquiServer(options), logger: false },
  );
  apps.push(server);
  await server.listen();
  const client = new ChasquiClient(options);
  apps.push(client);

  const request = client.send('rates', {}).subscribe();
  const signal = await asked;
  request.unsubscribe();
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  expect(signal.reason).toMatchObject({ name: 'JobCancelledError', code: 'CMQ-012' });
  vi.unstubAllGlobals();
});
