import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Queue, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/operations.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('mail', { connection: redis.connection });
});
afterEach(() => queue.close());

/** Adds jobs that end among the dead letters for these reasons, with ids of their own. */
async function fail(...jobs: ['unrecoverable' | 'retries_exhausted', string][]): Promise<void> {
  const handler = async ({ name }: { name: string }) => {
    throw name === 'unrecoverable' ? new UnrecoverableError('no') : new Error('not now');
  };
  await using _worker = new Worker('mail', handler, { connection: redis.connection });
  for (const [reason, jobId] of jobs) {
    await queue.add(reason, {}, { attempts: 1, jobId });
    expect(await waitForJob(queue, jobId, 'dlq')).toMatchObject({ reason });
  }
}

async function workerThatWaits(): Promise<Worker> {
  const worker = new Worker('mail', async () => {}, { connection: redis.connection, concurrency: 7 });
  await once(worker, 'ready');
  return worker;
}

// test/redis/acl.test.ts runs all commands as the ACL user of the page.
describe('the runbook', () => {
  const overview = block<{ overview(queue: Queue): Promise<unknown> }>('See what happens');
  const stop = block<{ stopTheDamage(queue: Queue): Promise<void> }>('Stop the damage');
  const stopOne = block<{ stopTenant(queue: Queue): Promise<string[]> }>('Stop one tenant');
  const busy = block<{ busyWorkers(queue: Queue): Promise<string[]> }>('Which worker is it');
  const find = block<{ findOrder(queue: Queue, to: string): Promise<string | undefined> }>('Find a job');
  const hurry = block<{ hurry(queue: Queue, id: string): Promise<void> }>('Change one job');
  const empty = block<{ emptyQueue(queue: Queue): Promise<void> }>('Empty a queue');
  const tonight = block<{ tonightNoReport(queue: Queue): Promise<void> }>('Schedules');

  it('shows counts and workers', async () => {
    await using _worker = await workerThatWaits();
    await queue.add('welcome', {}, { delay: 60_000 });
    expect(await (await overview()).overview(queue)).toMatchObject({
      counts: { delayed: 1, waiting: 0 },
      oldestWaitingMs: 0,
      workers: 1,
    });
    expect(await (await busy()).busyWorkers(queue)).toEqual([expect.stringMatching(/:\d+ 0\/7$/)]);
  });

  it('pauses and resumes', async () => {
    const pause = vi.spyOn(queue, 'pause');
    await (await stop()).stopTheDamage(queue);
    expect(pause).toHaveBeenCalledOnce();
    expect(await queue.isPaused()).toBe(false);
  });

  it('pauses one group', async () => {
    for (const id of ['acme', 'acme', 'globex']) await queue.add('report', {}, { group: { id } });
    expect(await (await stopOne()).stopTenant(queue)).toEqual([
      'acme: paused, 2 jobs',
      'globex: waiting, 1 jobs',
    ]);
    expect(await queue.isPaused()).toBe(false);
  });

  it('finds a job by its data, and changes it by its state', async () => {
    const { id } = await queue.add('welcome', { to: 'ada@example.com' }, { delay: 60_000 });
    expect(await (await find()).findOrder(queue, 'ada@example.com')).toBe(`${id} is delayed`);
    expect(await (await find()).findOrder(queue, 'nobody@example.com')).toBeUndefined();
    await (await hurry()).hurry(queue, id);
    expect(await queue.getJobState(id)).toBe('waiting');
    await (await hurry()).hurry(queue, 'unknown');
  });

  it('replays the dead letter of one job', async () => {
    await fail(['unrecoverable', 'once']);
    await (await hurry()).hurry(queue, 'once');
    expect(await queue.getJobState('once')).toBe('waiting');
  });

  it('runs a paused schedule by hand', async () => {
    await queue.upsertJobScheduler('nightly-report', { pattern: '0 3 * * *' }, { name: 'report' });
    await (await tonight()).tonightNoReport(queue);
    expect(await queue.getJobCounts('waiting')).toMatchObject({ waiting: 1 });
    expect(await queue.getJobScheduler('nightly-report')).not.toHaveProperty('paused', true);
  });

  it('empties the queue', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await queue.addBulk([
      { name: 'a', data: 1 },
      { name: 'b', data: 2, opts: { delay: 60_000 } },
    ]);
    await (await empty()).emptyQueue(queue);
    expect(await queue.count()).toBe(0);
    expect(log).toHaveBeenLastCalledWith(2, 'jobs removed');
  });
});

describe('dead letters', () => {
  const replay = block<{ replay(queue: Queue): Promise<void> }>('Dead letters');
  const some = block<{ tidyUp(queue: Queue): Promise<void> }>('Dead letters', 2);

  it('are looked at, and replayed in small batches', async () => {
    await fail(
      ['unrecoverable', '0'],
      ...['1', '2', '3', '4', '5'].map((id) => ['retries_exhausted', id] as ['retries_exhausted', string]),
    );
    const table = vi.spyOn(console, 'table').mockImplementation(() => {});
    await (await replay()).replay(queue);
    expect(table.mock.calls[0]?.[0]).toHaveLength(6);
    expect(await queue.getBacklog()).toMatchObject({ deadLetters: 1, waiting: 5 });
  });

  it('by reason and by id', async () => {
    const named = '01JD3Z5M2T4W6Y8A0C2E4G6J8K'; // in the page
    await fail(['unrecoverable', 'kept'], ['retries_exhausted', 'replayed'], ['unrecoverable', named]);
    await (await some()).tidyUp(queue);
    expect((await queue.peekDlq()).map(({ jobId }) => jobId)).toEqual(['kept']);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 1 });
  });
});
