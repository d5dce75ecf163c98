import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Worker, type Connection, type Job, type Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/tracking.md', redis);

const opening = block<{ openQueue(connection: Connection): Queue }>('Turn it on');
const sending = block<{ sendAll(job: Job<string[]>): Promise<number> }>('Report progress, and write a log');
const reading = block<{ lastRows(queue: Queue, jobId: string): Promise<string[]> }>(
  'Report progress, and write a log',
  2,
);

it('a tracked queue keeps the result and the log of a job', async () => {
  const { openQueue } = await opening();
  const { sendAll } = await sending();
  const { lastRows } = await reading();
  await using queue = openQueue(redis.connection);
  await using worker = new Worker<string[], number>('emails', sendAll, { connection: redis.connection });
  const completed = once(worker, 'completed');
  const job = await queue.add('send', ['ada', 'grace']);
  await completed;
  expect(await job.waitForResult()).toBe(2);
  expect(await lastRows(queue, job.id)).toEqual(['to grace', 'to ada']);
});
