import { afterEach, beforeEach, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/steering.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('orders', { connection: redis.connection });
});
afterEach(() => queue.close());

const DAY = 24 * 3_600_000;
type Act = (orders: Queue) => Promise<void>;

/** Adds jobs that fail for good. */
async function fail(count: number): Promise<void> {
  const worker = new Worker(
    'orders',
    () => {
      throw new Error('x');
    },
    { connection: redis.connection, maxAttempts: 1 },
  );
  for (let i = 0; i < count; i++) await queue.add('ship', i);
  await expect.poll(() => redis.client.xlen(queue.keys.dlq), { timeout: 8_000 }).toBe(count);
  await worker.close();
}

it('one job is changed', async () => {
  const { changeOrder } = await block<{ changeOrder: Act }>('Change one job')();
  await changeOrder(queue);
  const [[, fields]] = (await redis.client.xrange(queue.keys.stream, '-', '+')) as [[string, string[]]];
  expect(fields.join()).toContain('Grace');
});

it('many jobs are moved', async () => {
  const { catchUp } = await block<{ catchUp: Act }>('Move many jobs')();
  await fail(3);
  await queue.add('later', 1, { delay: DAY });
  await catchUp(queue);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(4);
});

it('many jobs are removed', async () => {
  const { tidy } = await block<{ tidy: (orders: Queue) => Promise<string[]> }>('Remove many jobs')();
  await fail(2);
  await queue.addBulk([1, 2, 3].map((data) => ({ name: 'a', data })));
  expect(await tidy(queue)).toEqual([]);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(0);
  expect(await redis.client.xlen(queue.keys.dlq)).toBe(2);
});

it('a long operation tells how far it is', async () => {
  const { drainFor } = await block<{ drainFor: (orders: Queue, ms: number) => Promise<number> }>(
    'Progress and cancel',
  )();
  await queue.addBulk(Array.from({ length: 1_200 }, (_, data) => ({ name: 'a', data })));
  expect(await drainFor(queue, 10_000)).toBe(1_200);
});

it('a queue is deleted', async () => {
  const { startOver } = await block<{ startOver: Act }>('Delete a queue')();
  await queue.add('a', 1, { jobId: 'x', delay: DAY });
  await startOver(queue);
  expect(await redis.client.exists(queue.keys.stream, queue.keys.delayed, queue.keys.dedup('x'))).toBe(0);
});
