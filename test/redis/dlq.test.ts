import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import type { DlqEntry } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** Two jobs that were refused, two that used all attempts, and one that no worker can read. */
async function makeDeadLetters(queue: Queue<string>): Promise<DlqEntry[]> {
  const { connection } = queue.opts;
  const worker = new Worker<string>(
    queue.name,
    (job) => {
      if (job.data.startsWith('refused')) throw new UnrecoverableError('refused');
      throw new Error('failed');
    },
    { connection, concurrency: 1 },
  );
  await redis.client.xadd(queue.keys.stream, '*', 'd', 'no job');
  const names = ['refused 1', 'failed 1', 'refused 2', 'failed 2'];
  await queue.addBulk(names.map((data) => ({ name: 'job', data, opts: { attempts: 1 } })));
  let letters: DlqEntry[] = [];
  while (letters.length < 5) letters = await queue.peekDlq();
  await worker.close();
  return letters;
}

const left = async (queue: Queue<string>): Promise<unknown[]> =>
  (await queue.peekDlq()).map(({ data }) => data);

describe('dead letters', () => {
  let queue: Queue<string>;
  let letters: DlqEntry[];
  const of = (data: string): DlqEntry => letters.find((letter) => letter.data === data) as DlqEntry;

  beforeEach(async () => {
    queue = new Queue('jobs', { connection: { host: redis.server.host, port: redis.server.port } });
    letters = await makeDeadLetters(queue);
  });

  afterEach(() => queue.close());

  it('are dropped by their own id, or by the id of their job', async () => {
    const ids = [of('failed 1').dlqId, of('refused 2').jobId as string, 'nobody'];
    expect(await queue.dropDlq({ ids })).toBe(2);
    expect((await left(queue)).toSorted()).toEqual(['failed 2', 'refused 1', undefined]);
  });

  it('are dropped by reason, also those that no worker can read', async () => {
    expect(await queue.dropDlq({ reason: 'retries_exhausted' })).toBe(2);
    expect(await queue.dropDlq({ reason: 'decode_failed' })).toBe(1);
    expect((await left(queue)).toSorted()).toEqual(['refused 1', 'refused 2']);
  });

  it('are all dropped, if the caller says so', async () => {
    await expect(queue.dropDlq({})).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(queue.dropDlq({ all: true, ids: ['x'] })).rejects.toMatchObject({ code: 'CMQ-004' });
    expect(await left(queue)).toHaveLength(5);
    expect(await queue.dropDlq({ all: true })).toBe(5);
    expect(await left(queue)).toEqual([]);
  });

  it('are replayed by reason and by id, up to the limit', async () => {
    expect(await queue.replayDlq({ reason: 'unrecoverable', limit: 1 })).toBe(1);
    expect(await queue.replayDlq({ ids: [of('failed 2').dlqId] })).toBe(1);
    expect(await redis.client.xlen(queue.keys.stream)).toBe(2);
    expect(await queue.replayDlq(10)).toBe(2);
    // What is no job stays, and does not stand in the way.
    expect(await left(queue)).toEqual([undefined]);
  });

  it('are replayed all, if the selection has no limit', async () => {
    const jobs = Array.from({ length: 120 }, (_, i) => ({ name: 'job', data: `failed ${String(i)}` }));
    await queue.addBulk(jobs.map((job) => ({ ...job, opts: { attempts: 1 } })));
    const worker = new Worker(
      queue.name,
      () => {
        throw new Error('failed');
      },
      { connection: queue.opts.connection },
    );
    while ((await queue.getBacklog()).deadLetters < 125);
    await worker.close();
    expect(await queue.replayDlq(1)).toBe(1);
    const rest = (await queue.peekDlq(Infinity)).filter(
      ({ reason }) => reason === 'retries_exhausted',
    ).length;
    expect(rest).toBeGreaterThan(120);
    expect(await queue.replayDlq({ reason: 'retries_exhausted' })).toBe(rest);
  });

  it('a wrong selection is refused, and the message names the right option', async () => {
    await expect(queue.dropDlq({ reasons: ['malformed'] } as never)).rejects.toThrow(/"reason"/);
    await expect(queue.replayDlq({ reason: 'bad' as never })).rejects.toThrow(/retries_exhausted/);
  });
});
