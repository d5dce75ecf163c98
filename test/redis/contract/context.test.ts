import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../../lib/engine/index.js';
import { KEYS, Latch, NAME, next, take, useKit } from './kit.js';

const redis = useKit();

const storage = new AsyncLocalStorage<string>();

describe('a job has an async context of its own', () => {
  test.each<[string, boolean]>([
    ['by itself', true],
    ['by run()', false],
  ])('a worker that is started in a request, %s, keeps nothing of it', async (_, autorun) => {
    const seen = new Set<unknown>();
    const look = (): void => {
      seen.add(storage.getStore());
    };
    const worker = await storage.run('a request', async () => {
      const made = redis.worker(
        async (job) => {
          look();
          await setImmediate();
          look();
          if (job.attemptsMade === 1) throw new Error('x');
        },
        { autorun, metrics: { jobOutcome: look, retryScheduled: look } },
      );
      for (const event of ['active', 'completed', 'failed', 'ready'] as const) made.on(event, look);
      if (!autorun) void made.run();
      await made.waitUntilReady();
      return made;
    });
    const done = take(worker, 'completed', 20);
    await redis
      .queue()
      .addBulk(Array.from({ length: 20 }, () => ({ name: 'a', data: 1, opts: { backoff: 1 } })));
    await done;
    expect([...seen]).toEqual([undefined]);
  });

  test('a worker does not keep the context of the code that closes it', async () => {
    const seen: unknown[] = [];
    const running = new Latch();
    const worker = redis.worker(async ({ signal }) => {
      storage.enterWith('the job');
      signal.addEventListener('abort', () => seen.push(storage.getStore()));
      running.open();
      await delay(60_000, undefined, { signal }).catch(() => undefined);
      seen.push(storage.getStore());
    });
    worker.on('closing', () => seen.push(storage.getStore()));
    worker.on('closed', () => seen.push(storage.getStore()));
    await redis.queue().add('a', 1);
    await running.opened;
    await storage.run('the closer', () => worker.close(true));
    await setImmediate();
    expect(seen).not.toContain('the closer');
    // A handler that asks for its signal after `enterWith` has its listeners called there.
    expect(seen).toContain('the job');
  });

  test.each<[string, number]>([
    ['one after the other', 1],
    ['at once', 100],
  ])('what handlers enter is not seen by the others: %s', async (_, concurrency) => {
    const COUNT = 100;
    const found: unknown[] = [];
    const kept: boolean[] = [];
    const worker = redis.worker(
      (job) => {
        found.push(storage.getStore());
        storage.enterWith(job.id);
        const check = (): void => {
          kept.push(storage.getStore() === job.id);
        };
        // Some end at once, some later, some through a thenable, some fail.
        const kind = (job.data as number) % 4;
        check();
        if (kind === 0) return undefined;
        if (kind === 1) return setImmediate().then(check);
        if (kind === 2) return delay(1).then(check);
        if (job.attemptsMade === 1) throw new Error('x');
        return Promise.resolve().then(check);
      },
      {
        concurrency,
        backoffStrategies: {
          mine: () => {
            found.push(storage.getStore());
            storage.enterWith('the strategy');
            return 1;
          },
        },
        metrics: {
          jobOutcome: () => {
            found.push(storage.getStore());
            storage.enterWith('the sink');
          },
        },
      },
    );
    for (const event of ['active', 'completed', 'failed'] as const) {
      worker.on(event, () => {
        found.push(storage.getStore());
        storage.enterWith('a listener');
      });
      worker.on(event, () => {
        found.push(storage.getStore());
      });
    }
    const done = take(worker, 'completed', COUNT);
    await redis.queue().addBulk(
      Array.from({ length: COUNT }, (__, data) => ({
        name: 'a',
        data,
        opts: { backoff: { type: 'mine' } },
      })),
    );
    await done;
    expect([...new Set(found)]).toEqual([undefined]);
    expect([...new Set(kept)]).toEqual([true]);
  });

  test('also of jobs that are taken over, and of those that start after an outage', async () => {
    const found: unknown[] = [];
    const worker = redis.worker((job) => {
      found.push(storage.getStore());
      storage.enterWith(job.id);
    });
    const queue = redis.queue();
    await queue.add('a', 1, { delay: 20 });
    await next(worker, 'completed');
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const done = take(worker, 'completed', 5);
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'a', data: 1, opts: { delay: 5 } })));
    await done;
    expect(found).toEqual(Array(6).fill(undefined));
    redis.errors.length = 0;
  });
});

describe('a caller continues in its own context', () => {
  const requests = Array.from({ length: 50 }, (_, index) => `request ${String(index)}`);

  test('adds, reads and waits that share a round trip', async () => {
    redis.worker((job) => job.data, { storeResults: true });
    const queue = redis.queue();
    const seen = await Promise.all(
      requests.map((request) =>
        storage.run(request, async () => {
          const job = await queue.add('a', request);
          const afterAdd = storage.getStore();
          const result = await job.waitForResult();
          return [afterAdd, result, storage.getStore()];
        }),
      ),
    );
    expect(seen).toEqual(requests.map((request) => [request, request, request]));
  });

  test('a connection, a subscription and a wait for results that a request is the first to need keep nothing of it', async () => {
    const connection = { ...redis.connection };
    const seen: unknown[] = [];
    const { queue, events, worker } = await storage.run('the first', async () => {
      const opened = {
        queue: new Queue(NAME, { connection }),
        events: new QueueEvents(NAME, { connection }),
        worker: new Worker(NAME, () => seen.push(storage.getStore()), { connection, storeResults: true }),
      };
      opened.events.on('completed', () => {
        seen.push(storage.getStore());
        storage.enterWith('a listener');
      });
      await opened.events.waitUntilReady();
      const job = await opened.queue.add('a', 1);
      await job.waitForResult();
      return opened;
    });
    try {
      const done = take(events, 'completed', 5);
      await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'a', data: 1 })));
      await done;
      expect([...new Set(seen)]).toEqual([undefined]);
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    } finally {
      await Promise.all([worker.close(), events.close(), queue.close()]);
    }
  });
});
