import { expect, it } from 'vitest';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue, RateLimitError } from '../../lib/index.js';
import type { Processor } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/limits.md', redis);

it('the active jobs of a queue are limited', async () => {
  const { protectBank } = await block<{ protectBank: (payments: Queue) => Promise<boolean> }>(
    'Limit the active jobs of a queue',
  )();
  const queue = new Queue('payments', { connection: redis.connection });
  expect(await protectBank(queue)).toBe(false);
  expect(await queue.getGlobalConcurrency()).toBe(5);
  await queue.close();
});

it('the starts of a queue are limited', async () => {
  const { respectProvider } = await block<{ respectProvider: (mails: Queue) => Promise<void> }>(
    'Limit how many start in a span of time',
  )();
  const queue = new Queue('mails', { connection: redis.connection });
  await respectProvider(queue);
  expect(await queue.getGlobalRateLimit()).toEqual({ max: 100, duration: 60_000 });
  await queue.close();
});

it('a handler stops when the other side asks it to', async () => {
  const { send, retryAfterMs } = await block<{
    send: Processor;
    retryAfterMs: (header: string | null) => number;
  }>('Stop when the other side asks you to')();
  for (const [header, ms] of [
    ['60', 60_000],
    ['0', 1_000],
    ['0.1234', 1_000],
    ['2.0004', 2_000],
    ['999999999', 3_600_000],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 1_000],
    ['soon', 60_000],
    [null, 60_000],
  ] as const)
    expect(retryAfterMs(header), String(header)).toBe(ms);
  const inAMinute = retryAfterMs(new Date(Date.now() + 60_000).toUTCString());
  expect(inAMinute).toBeGreaterThan(55_000);
  expect(inAMinute).toBeLessThanOrEqual(60_000);
  const server = createServer((_, response) => response.writeHead(429, { 'retry-after': '60' }).end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const queue = new Queue('posts', { connection: redis.connection });
  const { port } = server.address() as AddressInfo;
  const job = { data: { url: `http://127.0.0.1:${String(port)}/` } };
  await expect(send(job as never, queue as never)).rejects.toBeInstanceOf(RateLimitError);
  expect(await queue.getRateLimitTtl()).toBeGreaterThan(50_000);
  await queue.close();
  server.close();
});

it('a wrong number is a RangeError with the code CMQ-004', async () => {
  await using queue = new Queue('payments', { connection: redis.connection });
  const error: unknown = await queue.setGlobalConcurrency(0).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ name: 'RangeError', code: 'CMQ-004' });
});
