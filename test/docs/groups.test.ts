import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChasquiModule, Queue } from '../../lib/index.js';
import type { Connection, Job, Worker } from '../../lib/engine/index.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { useRedis } from '../support/redis.js';
import { runJob, useApps, queueOf } from '../nest/support/apps.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start } = useApps(redis);
const { block } = docsPage('docs/groups.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('reports', { connection: redis.connection });
});
afterEach(() => queue.close());

type OfTenant<Result> = (reports: Queue, tenant: string) => Promise<Result>;

it('a job is put into a group, and some run first', async () => {
  const { orderReport } = await block<{ orderReport: OfTenant<void> }>('Put a job into a group')();
  const { orderUrgentReport } = await block<{ orderUrgentReport: OfTenant<void> }>(
    'Let some jobs of a group run first',
  )();
  const { whoWaits } = await block<{ whoWaits: (reports: Queue) => Promise<string[]> }>('Look at groups')();
  await orderUrgentReport(queue, 'acme');
  await orderReport(queue, 'acme');
  expect((await queue.getGroupJobs('acme')).map(({ priority }) => priority)).toEqual([0, 1]);
  expect(await whoWaits(queue)).toEqual(['acme: 2 jobs, waiting']);
});

it('the groups of a processor have limits', async () => {
  const { Reports } = await block<{ Reports: new () => object }>('Let only so many jobs of a group run')();
  const app = await start({
    imports: [ChasquiModule.forFeature({ name: 'reports' })],
    providers: [Reports],
  });
  expect(await queueOf(app, 'reports').getGroupDefaults()).toEqual({ concurrency: 2 });
  const { result } = await runJob(app, 'reports', 'report', { tenant: 'acme' }, { group: { id: 'acme' } });
  expect(result).toBe('report of acme');
});

it('one group has other limits, and is paused', async () => {
  const { upgrade } = await block<{ upgrade: OfTenant<void> }>('Give one group other limits')();
  const { suspend } = await block<{ suspend: OfTenant<boolean> }>('Pause a group')();
  await upgrade(queue, 'acme');
  expect(await queue.getGroupConcurrency('acme')).toBe(10);
  expect(await queue.getGroupRateLimit('acme')).toEqual({ max: 1_000, duration: 60_000 });
  expect([await suspend(queue, 'acme'), await suspend(queue, 'acme')]).toEqual([true, false]);
  expect(await queue.getGroupStatus('acme')).toBe('paused');
});

it('the jobs of a group are removed', async () => {
  const { removeJobsOf } = await block<{ removeJobsOf: OfTenant<number> }>('Remove the jobs of a group')();
  for (const delay of [0, 60_000]) await queue.add('report', {}, { group: { id: 'acme' }, delay });
  await queue.add('report', {}, { group: { id: 'bakery' } });
  expect(await removeJobsOf(queue, 'acme')).toBe(2);
  expect(await queue.getGroupsByStatus('paused')).toMatchObject([{ id: 'acme' }]);
  expect(await queue.getJobCounts('waiting', 'delayed')).toMatchObject({ waiting: 1, delayed: 0 });
});

it('a group stays small', async () => {
  const { tryToOrder } = await block<{ tryToOrder: OfTenant<boolean> }>('Keep a group small')();
  expect(await tryToOrder(queue, 'acme')).toBe(true);
  await queue.addBulk(
    Array.from({ length: 999 }, () => ({ name: 'report', data: {}, opts: { group: { id: 'acme' } } })),
  );
  expect(await tryToOrder(queue, 'acme')).toBe(false);
  expect(await tryToOrder(queue, 'bakery')).toBe(true);
});

it('one group stops when the other side asks it to', async () => {
  const { mailer } = await block<{
    mailer: (connection: Connection, deliver: (job: Job) => Promise<{ retryAfterMs?: number }>) => Worker;
  }>('Stop one group when the other side asks you to')();
  const mails = new Queue('mails', { connection: redis.connection });
  const delivered: string[] = [];
  const worker = mailer({ ...redis.connection }, async ({ groupId = '' }) => {
    delivered.push(groupId);
    return delivered.length > 1 ? {} : { retryAfterMs: 1_000 };
  });
  await mails.addBulk(['acme', 'bakery'].map((id) => ({ name: 'mail', data: {}, opts: { group: { id } } })));
  const begun = performance.now();
  await waitUntil('The mails', 10_000, async () => (delivered.length === 3 ? undefined : String(delivered)));
  expect(delivered).toEqual(['acme', 'bakery', 'acme']);
  expect(performance.now() - begun).toBeGreaterThan(900);
  await worker.close();
  await mails.close();
});
