import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { Queue, UnrecoverableError, Worker, encodePayload } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

it('a result is found though neither queue nor worker announce anything', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', { connection, eventsEnabled: false });
  const worker = new Worker<number, number>('sums', (job) => job.data + 1, {
    connection,
    eventsEnabled: false,
    storeResults: true,
  });
  const job = await queue.add('increment', 41);
  expect(await job.waitForResult({ timeoutMs: 10_000 })).toBe(42);
  await worker.close();
});

it('results that many wait for in one tick are read in one round trip', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', { connection });
  await using worker = new Worker<number, number>('sums', (job) => job.data * 2, {
    connection,
    storeResults: true,
  });
  const jobs = await queue.addBulk(Array.from({ length: 100 }, (_, data) => ({ name: 'double', data })));
  expect(worker.isRunning()).toBe(true);
  await Promise.all(jobs.map((job) => job.waitForResult()));
  await redis.client.config('RESETSTAT');
  const results = await Promise.all(jobs.map(({ id }) => queue.getJobResult(id)));
  expect(results).toEqual(jobs.map(({ data }) => data * 2));
  const stats = await redis.client.info('commandstats');
  expect(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
});

it('a job that has failed for good before anybody waits says so, and no longer when it is replayed', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', {
    connection,
    defaultJobOptions: { dedupTtlMs: 60_000 },
  });
  let isMended = false;
  await using worker = new Worker<number, number>(
    'sums',
    (job) => {
      if (!isMended) throw new UnrecoverableError('no');
      return job.data;
    },
    { connection, storeResults: true },
  );
  const failed = new Promise((resolve) => worker.once('failed', resolve));
  const job = await queue.add('increment', 41);
  await failed;
  await expect(job.waitForResult({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'CMQ-103' });
  isMended = true;
  await queue.replayDlq();
  expect(await job.waitForResult({ timeoutMs: 10_000 })).toBe(41);
});

it('results of any size, and none, reach who waits for them, and the dead are told with their reason', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, unknown>('sums', { connection });
  const results = [
    undefined,
    1,
    'é'.repeat(100),
    'x'.repeat(300),
    Buffer.from([0, 255]),
    new Date(0),
    2n ** 60n,
  ];
  await using worker = new Worker<number, unknown>(
    'sums',
    async (job) => {
      await opened;
      if (job.data < 0) throw new UnrecoverableError('no');
      return results[job.data];
    },
    { connection: { ...connection }, storeResults: true },
  );
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const job = async (data: number): Promise<unknown> => (await queue.add('a', data)).waitForResult();
  const waiting = results.map((_, index) => job(index));
  const failing = expect(job(-1)).rejects.toMatchObject({ code: 'CMQ-103' });
  await Promise.all([
    vi.waitFor(async () => expect(await redis.client.exists('{chasqui:sums}:waiters')).toBe(1)),
    vi.waitFor(() => expect(worker.health().running).toBe(results.length + 1)),
  ]);
  open();
  expect(await Promise.all(waiting)).toEqual(results);
  await failing;
});

it('nobody is told of results where nobody waits', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', { connection });
  await using worker = new Worker<number, number>('sums', (job) => job.data, {
    connection,
    storeResults: true,
  });
  const completed = once(worker, 'completed');
  await queue.add('a', 1);
  await completed;
  expect(await redis.client.exists('{chasqui:sums}:ended')).toBe(0);
});

it('a worker of another make, which stores results and only writes events, is heard too', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', { connection });
  const ends = async (id: string, result: number): Promise<void> => {
    await redis.client.set(`{chasqui:sums}:result:${id}`, encodePayload(result));
    await redis.client.xadd(
      '{chasqui:sums}:events',
      '*',
      'e',
      'completed',
      'id',
      id,
      'ts',
      '0',
      'attempt',
      '1',
    );
  };
  const looked = async (): Promise<void> =>
    expect(await redis.client.info('commandstats')).toMatch(/cmdstat_mget:calls=[1-9]/);
  // The first is found by looking once more, and at the next look it is clear that nobody tells. A third may come before
  // the events are followed. The others come sooner than the next look, so it is the event that wakes.
  for (const timeoutMs of [30_000, 30_000, 30_000, 1_500, 1_500]) {
    const job = await queue.add('a', timeoutMs);
    await redis.client.config('RESETSTAT');
    const result = job.waitForResult({ timeoutMs });
    await vi.waitFor(looked);
    await ends(job.id, timeoutMs);
    expect(await result).toBe(timeoutMs);
  }
});

it('a look that finds a result before the telling of it comes does not make all events be read', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', { connection });
  const readers = async (): Promise<number> =>
    String(await redis.client.client('LIST'))
      .split('\n')
      .filter((line) => line.includes(' cmd=xread ')).length;
  const endOf = (id: string): Buffer => {
    const value = encodePayload(7);
    const frame = Buffer.alloc(6 + id.length + value.length);
    frame.writeUInt16BE(id.length, 0);
    frame.write(id, 2);
    frame.writeUInt32BE(value.length, 2 + id.length);
    value.copy(frame, 6 + id.length);
    return frame;
  };
  for (let i = 0; i < 3; i++) {
    const job = await queue.add('a', i);
    const result = job.waitForResult();
    await vi.waitFor(async () => expect(await readers()).toBe(1));
    await redis.client.set(`{chasqui:sums}:result:${job.id}`, encodePayload(7));
    expect(await result).toBe(7);
    await redis.client.xadd('{chasqui:sums}:ended', '*', 'completed', endOf(job.id));
  }
  expect(await readers()).toBe(1);
});
