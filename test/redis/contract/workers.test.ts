import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { Worker, engineVersion } from '../../../lib/engine/index.js';
import type { WorkerInfo } from '../../../lib/engine/index.js';
import { KEYS, Latch, NAME, eventually, next, useKit } from './kit.js';

const redis = useKit();

/** What the only worker says of itself, as soon as it says something. */
function only(): Promise<WorkerInfo> {
  return eventually(async () => {
    const workers = await redis.queue().getWorkers();
    expect(workers).toHaveLength(1);
    return workers[0]!;
  });
}

/** A consumer that has been there just now. */
async function thirdParty(name: string): Promise<void> {
  await redis.client.call('XGROUP', 'CREATE', KEYS.stream, 'default', '0', 'MKSTREAM').catch(() => undefined);
  await redis.client.xgroup('CREATECONSUMER', KEYS.stream, 'default', name);
}

describe('getWorkers', () => {
  test('is empty for a queue without workers', async () => {
    expect(await redis.queue().getWorkers()).toEqual([]);
    expect(await redis.queue().getWorkersCount()).toBe(0);
    expect(await redis.keys()).toEqual([]);
  });

  test('tells who a worker is, and how it does', async () => {
    const before = Date.now();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, {
      name: 'mailer é-1',
      concurrency: 7,
      claimMinIdleMs: 60,
    });
    await next(worker, 'ready');
    await redis.queue().add('a', 1);
    const info = await eventually(async () => {
      const { running, ...rest } = await only();
      expect(running).toBe(1);
      return rest;
    });
    expect(info).toEqual({
      id: worker.id,
      name: 'mailer é-1',
      group: 'default',
      host: hostname(),
      pid: process.pid,
      version: engineVersion(),
      concurrency: 7,
      pending: 1,
      startedAt: expect.any(Number) as number,
      lastSeen: expect.any(Number) as number,
      paused: false,
      leaseMs: 60,
    });
    expect(info.startedAt).toBeGreaterThan(before - 60_000);
    expect(info.lastSeen).toBeGreaterThan(info.startedAt!);
    latch.open();
  });

  test('an idle worker goes on reporting; its start stays', async () => {
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 60 });
    await next(worker, 'ready');
    const first = await only();
    await eventually(async () => {
      const { lastSeen, startedAt } = await only();
      expect(lastSeen).toBeGreaterThan(first.lastSeen);
      expect(startedAt).toBe(first.startedAt);
    });
    expect(await redis.client.pttl(KEYS.worker(worker.id))).toBeGreaterThan(1_000);
  });

  test('knows at once that a worker, or its queue, is paused, and its new concurrency', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    const become = (expected: Partial<WorkerInfo>): Promise<void> =>
      eventually(async () => {
        expect(await only()).toMatchObject(expected);
      }, 2_000);
    await become({ paused: false, concurrency: 100 });
    await worker.pause();
    await become({ paused: true });
    await worker.resume();
    await become({ paused: false });
    await queue.pause();
    await become({ paused: true });
    await queue.resume();
    await become({ paused: false });
    worker.concurrency = 3;
    await become({ concurrency: 3 });
  });

  test('lists the workers of all groups, and counts them; a worker that has closed is not among them', async () => {
    const queue = redis.queue();
    const workers = ['default', 'default', 'audit'].map((group) => redis.worker(() => undefined, { group }));
    await Promise.all(workers.map((worker) => next(worker, 'ready')));
    await eventually(async () => {
      const listed = await queue.getWorkers();
      expect(listed.map(({ group }) => group).sort()).toEqual(['audit', 'default', 'default']);
      expect(listed.map(({ id }) => id).sort()).toEqual(workers.map(({ id }) => id).sort());
    });
    expect(await queue.getWorkersCount()).toBe(3);
    for (const worker of workers) await worker.close();
    expect(await queue.getWorkers()).toEqual([]);
    expect((await redis.client.keys('*')).filter((key) => key.includes('worker:'))).toEqual([]);
  });

  test('a third-party worker is listed with what Redis knows, for as long as it is heard from', async () => {
    await thirdParty('stranger');
    const worker = await only();
    expect(worker).toMatchObject({ id: 'stranger', name: 'stranger', group: 'default', pending: 0 });
    expect([worker.host, worker.pid, worker.concurrency, worker.running, worker.startedAt]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
    expect(Math.abs(worker.lastSeen - Date.now())).toBeLessThan(60_000);
  });

  test('one of ours that no longer reports, and is silent for a lease, is dead: it is not listed', async () => {
    await thirdParty('dead-0b2f8a1e-0000-4000-8000-000000000000;lease=30');
    await thirdParty('released;lease=0');
    await eventually(async () => {
      expect(await redis.queue().getWorkers()).toEqual([]);
    });
  });

  test('a report of the wrong type, or with odd values, does not harm', async () => {
    await thirdParty('a b\nc');
    await thirdParty('odd');
    await redis.client.set(KEYS.worker('a b\nc'), 'x');
    await redis.client.hset(KEYS.worker('odd'), 'pid', 'many', '__proto__', 'x', 'paused', '1');
    const workers = await redis.queue().getWorkers();
    expect(workers.map(({ id, pid, paused }) => ({ id, pid, paused }))).toEqual([
      { id: 'a b\nc', pid: undefined, paused: false },
      { id: 'odd', pid: undefined, paused: true },
    ]);
  });

  test('at most 1,000 are listed, in one call', async () => {
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0', 'MKSTREAM');
    const pipeline = redis.client.pipeline();
    for (let number = 0; number < 1_500; number++)
      pipeline.xgroup('CREATECONSUMER', KEYS.stream, 'default', `w-${String(number)}`);
    await pipeline.exec();
    expect(await redis.queue().getWorkers()).toHaveLength(1_000);
    await redis.queue().pause();
  });

  test('a worker that cannot report goes on', async () => {
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      const worker = redis.worker(() => undefined);
      await next(worker, 'ready');
      // Its consumer is there, because a full server can create one; its report is not.
      expect(await redis.queue().getWorkers()).toMatchObject([{ id: worker.id, host: undefined }]);
      await redis.client.config('SET', 'maxmemory', '0');
      const done = next(worker, 'completed');
      await redis.queue().add('a', 1);
      await done;
      expect(await redis.queue().getWorkers()).toMatchObject([
        { id: worker.id, host: undefined, pending: 0 },
      ]);
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
  });
});

describe('the blocking connection of a worker', () => {
  const names = async (): Promise<(string | undefined)[]> => {
    const list = String(await redis.client.client('LIST'));
    return list
      .split('\n')
      .flatMap((line) => (line.includes(' cmd=xreadgroup') ? [/ name=(\S*)/.exec(line)?.[1]] : []));
  };

  test('is named after the queue and the worker', async () => {
    const worker = redis.worker(() => undefined, { name: 'größe 1' });
    await next(worker, 'ready');
    await eventually(async () => {
      expect(await names()).toEqual([`chasqui:${NAME}:${encodeURIComponent(worker.id)}`]);
    });
  });

  test('keeps the name that the user gives it', async () => {
    const worker = redis.worker(() => undefined, {
      connection: { ...redis.connection, connectionName: 'mine' },
    });
    await next(worker, 'ready');
    await eventually(async () => {
      expect(await names()).toEqual(['mine']);
    });
  });

  test('has none where the ACL forbids it, and works', async () => {
    await redis.client.call(
      'ACL',
      ...['SETUSER', 'nameless', 'on', '>secret', 'allkeys', 'allchannels', '+@all', '-client|setname'],
    );
    const worker = new Worker(NAME, () => undefined, {
      connection: { ...redis.connection, username: 'nameless', password: 'secret' },
    });
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1);
    await done;
    await eventually(async () => {
      expect(await names()).toEqual(['']);
    });
    await worker.close();
    await redis.client.call('ACL', 'DELUSER', 'nameless');
  });
});

describe('stalled', () => {
  const dead = async (name: string): Promise<void> => {
    await redis.client.xreadgroup('GROUP', 'default', name, 'COUNT', 10, 'STREAMS', KEYS.stream, '>');
  };

  test('is emitted for each job of a dead worker, by the events of the queue and by the worker that runs it', async () => {
    const queue = redis.queue();
    const events = await redis.events();
    const heard: unknown[] = [];
    events.on('stalled', ({ jobId, name, ts }, id) =>
      heard.push({ jobId, name, ts: ts > 0, id: /^\d+-\d+$/.test(id) }),
    );
    await queue.addBulk([
      { name: 'named', data: 1, opts: { jobId: 'one' } },
      { name: '', data: 2, opts: { jobId: 'ü\n2' } },
    ]);
    await redis.client.xadd(KEYS.stream, '*', 'd', 'not a job');
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await dead('dead;lease=20');
    const byWorker: string[] = [];
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 60 });
    worker.on('stalled', (jobId, prev) => byWorker.push(`${jobId} ${prev}`));
    await eventually(() => {
      expect(heard).toEqual([
        { jobId: 'one', name: 'named', ts: true, id: true },
        { jobId: 'ü\n2', name: '', ts: true, id: true },
      ]);
    });
    expect(byWorker).toEqual(['one active', 'ü\n2 active']);
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
  });

  test('is not emitted for a job that was handed over, nor with eventsEnabled: false', async () => {
    const queue = redis.queue({ eventsEnabled: false });
    await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup(
      ...(['GROUP', 'default', 'released;lease=0', 'COUNT', 1, 'STREAMS', KEYS.stream, '>'] as const),
    );
    await dead('dead;lease=20');
    const byWorker: string[] = [];
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 60, eventsEnabled: false });
    worker.on('stalled', (jobId) => byWorker.push(jobId));
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
    expect(byWorker).toHaveLength(1);
    expect(await redis.client.exists(KEYS.events)).toBe(0);
  });
});
