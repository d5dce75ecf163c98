import { afterEach, beforeEach, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/priorities.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('orders', { connection: redis.connection });
});
afterEach(() => queue.close());

/** Runs all jobs, one at a time. Returns their names in the order of their starts. */
async function run(count: number): Promise<string[]> {
  const started: string[] = [];
  const worker = new Worker('orders', (job) => void started.push(job.name), {
    connection: redis.connection,
    concurrency: 1,
  });
  await expect.poll(() => started.length, { timeout: 8_000 }).toBe(count);
  await worker.close();
  return started;
}

it('jobs with a priority run in its order', async () => {
  const { sendMails } = await block<{ sendMails: (mails: Queue) => Promise<void> }>(
    'Give a job a priority',
  )();
  await sendMails(queue);
  expect(await run(3)).toEqual(['receipt', 'reset-password', 'newsletter']);
});

it('a job with lifo runs first', async () => {
  const { cancelOrder } = await block<{ cancelOrder: (orders: Queue, id: number) => Promise<void> }>(
    'Put a job in front of all others',
  )();
  await queue.add('ship', 1, { priority: 1 });
  await cancelOrder(queue, 7);
  expect(await run(2)).toEqual(['cancel', 'ship']);
});
