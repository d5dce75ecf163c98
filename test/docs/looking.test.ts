import { expect, it } from 'vitest';
import { Queue, type DlqEntry } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/looking.md', redis);

const counting = block<{ summarize(queue: Queue): Promise<string> }>('How many jobs are there');
const reading = block<{ timeouts(queue: Queue, since: Date): Promise<DlqEntry[]> }>('Read the dead letters');
const histogram = block<{ failuresByHour(queue: Queue): Promise<Record<string, number>> }>(
  'Read the dead letters',
  2,
);

it('how many jobs are there', async () => {
  const { summarize } = await counting();
  await using queue = new Queue('emails', { connection: redis.connection });
  await queue.add('a', 1);
  await queue.add('b', 1, { delay: 100_000 });
  expect(await summarize(queue)).toBe('1 wait, 0 run, 1 are delayed, 0 have failed');
});

it('reading the dead letters, and counting them by hour', async () => {
  await using queue = new Queue('emails', { connection: redis.connection });
  for (let i = 0; i < 120; i++) {
    const detail = i % 2 ? 'connect ETIMEDOUT' : 'no such user';
    await redis.client.xadd(
      queue.keys.dlq,
      `${1_700_000_000_000 + i}-0`,
      'reason',
      'retries_exhausted',
      'detail',
      detail,
    );
  }
  const { timeouts } = await reading();
  expect(await timeouts(queue, new Date(1_700_000_000_020))).toHaveLength(50);
  const { failuresByHour } = await histogram();
  expect(await failuresByHour(queue)).toEqual({ '2023-11-14T22:00Z': 120 });
});

const listing = block<{ nextJobs(queue: Queue): Promise<string[]> }>('List jobs');
const lookingUp = block<{ describe(queue: Queue, id: string): Promise<string> }>('Look up one job');
const finding = block<{ removeInvoices(queue: Queue, customer: number): Promise<number> }>(
  'Find jobs by their data',
);

it('listing, looking up and finding jobs', async () => {
  await using queue = new Queue('emails', { connection: redis.connection });
  await queue.addBulk([5, 6, 5].map((id) => ({ name: 'invoice', data: { customer: { id } } })));
  const { id } = await queue.add('send', {}, { jobId: 'mine', delay: 100_000 });
  const { nextJobs } = await listing();
  expect(await nextJobs(queue)).toHaveLength(3);
  const { describe } = await lookingUp();
  expect(await describe(queue, id)).toBe('send is delayed');
  expect(await describe(queue, 'nobody')).toBe('unknown: unknown');
  const { removeInvoices } = await finding();
  expect(await removeInvoices(queue, 5)).toBe(2);
  expect(await queue.getWaitingCount()).toBe(1);
});

it('jobs with a priority are counted and listed apart from those that wait', async () => {
  await using queue = new Queue('emails', { connection: redis.connection });
  await queue.add('plain', 1);
  await queue.add('first', 1, { lifo: true });
  await queue.add('of a group', 1, { group: { id: 'acme' } });
  await queue.add('late', 1, { priority: 5 });
  expect(await queue.getJobCounts('waiting', 'prioritized')).toMatchObject({ waiting: 3, prioritized: 1 });
  expect([await queue.getWaitingCount(), await queue.getPrioritizedCount(), await queue.count()]).toEqual([
    3, 1, 4,
  ]);
  expect((await queue.getPrioritized()).map(({ name, priority }) => [name, priority])).toEqual([['late', 5]]);
  await queue.pause();
  expect(await queue.getJobCounts('waiting', 'paused', 'prioritized')).toEqual({
    waiting: 0,
    paused: 3,
    prioritized: 1,
  });
  expect((await queue.getBacklog()).waiting).toBe(4);
});
