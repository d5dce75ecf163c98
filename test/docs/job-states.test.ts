import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Queue, Worker, type Connection, type Job } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/job-states.md', redis);

const takingBack = block<{ stopExport(exports: Queue, id: string): Promise<string> }>(
  'Remove or cancel a job',
);

const limiting = block<{ addQuote(quotes: Queue, symbol: string): Promise<Job> }>('Limit the time of a job');

interface Bank {
  opensAt(): number;
  pay(data: unknown): Promise<'paid' | 'refused'>;
}
const deciding = block<{ payments(connection: Connection, bank: Bank): Worker }>('Decide in the handler');

it('taking a job back: before it has started, while it runs, when it has ended', async () => {
  const { connection } = redis;
  const { stopExport } = await takingBack();
  await using exports = new Queue('exports', { connection });
  const waiting = await exports.add('export', {});
  expect(await stopExport(exports, waiting.id)).toBe('It had not started, and never will.');

  await using worker = new Worker(
    'exports',
    async ({ signal }) => {
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    },
    { connection },
  );
  const active = once(worker, 'active');
  const failed = once(worker, 'failed');
  const running = await exports.add('export', {});
  await active;
  expect(await stopExport(exports, running.id)).toBe('Its worker will end it.');
  const [job, error] = (await failed) as [Job, Error];
  expect([job.id, error.name]).toEqual([running.id, 'JobCancelledError']);
  expect(await stopExport(exports, running.id)).toBe('It has ended already.');
  expect(await exports.peekDlq()).toEqual([]);
});

it('the limits of a job travel with it, and an expired job can be dropped', async () => {
  const { connection } = redis;
  const { addQuote } = await limiting();
  await using quotes = new Queue('quotes', { connection });
  const job = await addQuote(quotes, 'ACME');
  expect(job.opts).toEqual({ timeoutMs: 5_000, ttlMs: 60_000, expired: 'drop' });
  await using worker = new Worker('quotes', ({ opts }) => opts, { connection });
  const [, opts] = (await once(worker, 'completed')) as [Job, unknown];
  expect(opts).toEqual(job.opts);
});

it('a handler waits for the bank without using an attempt, and makes a failure final', async () => {
  const { connection } = redis;
  const { payments } = await deciding();
  const opens = Date.now() + 100;
  const paid: number[] = [];
  await using queue = new Queue('payments', { connection });
  await queue.add('pay', 1, { attempts: 5 });
  await using worker = payments(connection, {
    opensAt: () => opens,
    pay: () => {
      paid.push(Date.now());
      return Promise.reject(new Error('timeout'));
    },
  });
  const [job] = (await once(worker, 'failed')) as [Job];
  expect(job).toMatchObject({ attemptsMade: 1, deadLetterReason: 'unrecoverable' });
  expect(paid).toHaveLength(1);
  expect(paid[0]).toBeGreaterThanOrEqual(opens);
});
