import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionError, Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { Processor, WorkerOptions } from '../../lib/engine/index.js';
import { faultsOf } from '../../lib/health/workers.check.js';
import { promote } from '../../lib/redis/scripts/promote.js';
import { renew } from '../../lib/redis/scripts/renew.js';
import type { TestRedis, UseRedisOptions } from '../support/redis.js';
import { useRedis } from '../support/redis.js';
import { runnerOn } from '../support/script-runner.js';

/*
 * Calls and replies are bounded in bytes: a server may take and give less than it does by default, and each large one
 * keeps it from everything else.
 */

const NAME = 'large';
const data = Buffer.alloc(900_000, 7);

let open: { close: () => Promise<unknown> }[] = [];

/** A server, and the end of what a test has opened: before its connections are counted. */
function useServer(options: UseRedisOptions = {}): TestRedis {
  const redis = useRedis(options);
  afterEach(async () => {
    const closing = open;
    open = [];
    await Promise.all(closing.map((one) => one.close()));
  });
  return redis;
}

function keep<T extends { close: () => Promise<unknown> }>(one: T): T {
  open.push(one);
  return one;
}

function newQueue({ connection }: TestRedis, maxStreamLen = 0): Queue {
  return keep(new Queue(NAME, { connection, maxStreamLen }));
}

const QUICK = { retry: { initialBackoffMs: 1, jitterMs: 0 }, claimMinIdleMs: 600, blockMs: 500 } as const;

function newWorker(
  { connection }: TestRedis,
  processor: Processor,
  options: Partial<WorkerOptions> = {},
): { worker: Worker; errors: Error[] } {
  const worker = keep(new Worker(NAME, processor, { connection, ...QUICK, ...options }));
  const errors: Error[] = [];
  worker.on('error', (error) => errors.push(error));
  return { worker, errors };
}

const jobs = (count: number, opts = {}): { name: string; data: Buffer; opts: object }[] =>
  Array.from({ length: count }, () => ({ name: 'job', data, opts }));

describe('on a server that takes arguments of 1 MB', () => {
  const redis = useServer({ args: ['--proto-max-bulk-len', '1mb', '--client-query-buffer-limit', '1mb'] });

  test('addBulk adds 36 MB, in order', async () => {
    const queue = newQueue(redis);
    const added = await queue.addBulk(jobs(40));
    expect(await redis.client.xlen(queue.keys.stream)).toBe(40);
    const entries = await redis.client.xrange(queue.keys.stream, '-', '+');
    entries.forEach(([, [, d]], index) => expect(d).toContain(added[index]?.id));
  });

  test('many small jobs fit into one argument, or into several', { timeout: 20_000 }, async () => {
    const queue = newQueue(redis);
    const small = Array.from({ length: 2_000 }, (_, n) => ({
      name: `n${String(n % 7)}`,
      data: 'x'.repeat(n % 900),
    }));
    await queue.addBulk(small);
    const seen: number[] = [];
    const { worker } = newWorker(
      redis,
      (job) => {
        expect(job.name).toBe(`n${String(seen.length % 7)}`);
        seen.push((job.data as string).length);
      },
      { claimMinIdleMs: 30_000, concurrency: 1 },
    );
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(2_000);
    expect(seen).toEqual(small.map((job) => job.data.length));
    await worker.close();
  });

  test('an addBulk without room is refused as a whole, however many calls it needs', async () => {
    const queue = newQueue(redis, 30);
    await expect(queue.addBulk(jobs(31))).rejects.toMatchObject({ code: 'CMQ-006' });
    expect(await redis.client.xlen(queue.keys.stream)).toBe(0);
    await queue.addBulk([...jobs(10, { delay: 60_000 }), ...jobs(30)]);
    expect(await redis.client.xlen(queue.keys.stream)).toBe(30);
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(10);
  });

  test('duplicates of a large addBulk are reported by index', async () => {
    const queue = newQueue(redis);
    await queue.add('job', 1, { jobId: 'b7' });
    const added = await queue.addBulk(
      jobs(12).map((job, index) => ({
        ...job,
        opts: { jobId: `b${String(index)}`, delay: index < 2 ? 60_000 : 0 },
      })),
    );
    expect(added).toHaveLength(12);
    expect(await redis.client.xlen(queue.keys.stream)).toBe(10);
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(2);
  });

  test(
    'large jobs fail, are promoted, complete with large results, die and are replayed',
    { timeout: 30_000 },
    async () => {
      const queue = newQueue(redis);
      const runs = new Map<string, number>();
      const { worker, errors } = newWorker(
        redis,
        (job) => {
          const run = (runs.get(job.id) ?? 0) + 1;
          runs.set(job.id, run);
          if (job.name === 'dies' ? run <= 2 : run === 1) throw new Error('not yet');
          return job.data;
        },
        { storeResults: true, maxAttempts: 2, claimMinIdleMs: 30_000 },
      );
      const added = await queue.addBulk([...jobs(20), ...jobs(6).map((job) => ({ ...job, name: 'dies' }))]);
      await expect.poll(() => redis.client.xlen(queue.keys.dlq), { timeout: 20_000 }).toBe(6);
      expect(await queue.replayDlq(10)).toBe(6);
      const results = await Promise.all(
        added.map(({ id }) => queue.waitForResult(id, { timeoutMs: 20_000 })),
      );
      for (const result of results) expect(data.equals(result as Buffer)).toBe(true);
      expect(errors).toEqual([]);
      await worker.close();
    },
  );
});

describe('on a server that closes connections with more than 2 MB to send', () => {
  const redis = useServer({ args: ['--client-output-buffer-limit', 'normal 2mb 0 0'], leakCheck: false });

  test('a worker adapts its reads to the limit of the server', { timeout: 30_000 }, async () => {
    const queue = newQueue(redis);
    await queue.addBulk(jobs(40));
    const seen = new Set<string>();
    newWorker(redis, (job) => {
      seen.add(job.id);
    });
    await expect.poll(() => seen.size, { timeout: 25_000 }).toBe(40);
    await expect.poll(() => redis.client.xlen(queue.keys.stream)).toBe(0);
  });

  test('dead letters are read', { timeout: 30_000 }, async () => {
    const queue = newQueue(redis);
    await queue.addBulk(jobs(5));
    const { worker } = newWorker(
      redis,
      () => {
        throw new Error('no');
      },
      { maxAttempts: 1 },
    );
    await expect.poll(() => redis.client.xlen(queue.keys.dlq), { timeout: 25_000 }).toBe(5);
    await worker.close();
    expect(await queue.peekDlq(1)).toHaveLength(1);
  });
});

describe('on a server that closes connections with more than a job to send', () => {
  const redis = useServer({ args: ['--client-output-buffer-limit', 'normal 500kb 0 0'], leakCheck: false });

  test('a worker reports it, and is not healthy', { timeout: 30_000 }, async () => {
    const queue = newQueue(redis);
    await queue.addBulk(jobs(3));
    const { worker, errors } = newWorker(redis, () => undefined);
    const told = (): Error | undefined =>
      errors.find(({ message }) => message.includes('client-output-buffer-limit'));
    await expect.poll(told, { timeout: 20_000 }).toBeInstanceOf(ConnectionError);
    await expect.poll(() => faultsOf(NAME, worker.health(), {}), { timeout: 20_000 }).toHaveLength(1);
    expect(faultsOf(NAME, worker.health(), {})[0]).toContain('client-output-buffer-limit');
    // Small jobs get through all the same.
    const done = new Promise((resolve) => worker.on('completed', resolve));
    await queue.add('small', 1);
    await done;
  });

  test(
    'a read of it fails, and does not break one connection after another',
    { timeout: 30_000 },
    async () => {
      const queue = newQueue(redis);
      const [job] = await queue.addBulk(jobs(1));
      const connections = async (): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await redis.client.info('stats'))?.[1]);
      const before = await connections();
      const error: unknown = await queue.getJob(job?.id ?? '').catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'CMQ-001' });
      expect((error as Error).message).toContain('was not sent again');
      expect((await connections()) - before).toBe(2);
    },
  );

  test('QueueEvents report it', { timeout: 30_000 }, async () => {
    const events = keep(new QueueEvents(NAME, { connection: redis.connection, lastEventId: '0' }));
    const errors: Error[] = [];
    events.on('error', (error) => errors.push(error));
    events.on('waiting', () => undefined);
    await events.waitUntilReady();
    await redis.client.xadd(`{chasqui:${NAME}}:events`, '*', 'e', 'waiting', 'id', data);
    await expect
      .poll(() => errors.map(({ message }) => message).join(), { timeout: 20_000 })
      .toContain('client-output-buffer-limit');
  });
});

describe('in one call', () => {
  const redis = useServer();

  test(
    'no more large jobs are promoted than few, and those that are left follow',
    { timeout: 30_000 },
    async () => {
      const queue = newQueue(redis);
      await queue.addBulk(jobs(60, { delay: 1 }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      const reply = await promote(runnerOn(redis.client), queue.keys, {
        holder: 'me',
        lockMs: 1_000,
        batch: 256,
        lead: false,
        group: 'default',
        wakeIds: [],
        eventsCap: 0,
        eventsBatchFrom: 0,
      });
      const promoted = reply.leads ? reply.promoted : 0;
      expect(promoted).toBeGreaterThan(0);
      expect(promoted).toBeLessThan(20);
      const seen = new Set<string>();
      newWorker(redis, (job) => {
        seen.add(job.id);
      });
      await expect.poll(() => seen.size, { timeout: 20_000 }).toBe(60);
    },
  );

  test('a few large jobs are reclaimed by the first call, the others by further calls', async () => {
    const queue = newQueue(redis);
    await queue.addBulk(jobs(20));
    const { stream } = queue.keys;
    await redis.client.xgroup('CREATE', stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'me', 'COUNT', 20, 'STREAMS', stream, '>');
    const look = async (entryIds: string[]): Promise<[string[], more: boolean]> => {
      const { stranded, more } = await renew(runnerOn(redis.client), queue.keys, {
        group: 'default',
        consumerId: 'me',
        entryIds,
        strandedMs: 0,
        limit: 100,
        maxBytes: 4_194_304,
      });
      return [stranded.map(({ entry: [id] }) => id.toString()), more];
    };
    const [first, more] = await look([]);
    expect(first).toHaveLength(5);
    expect(more).toBe(true);
    const [second] = await look(first);
    expect(second).toHaveLength(5);
    expect(new Set([...first, ...second]).size).toBe(10);
  });
});
