import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  Consumer,
  Producer,
  Promoter,
  RepeatPattern,
  Scheduler,
  UnrecoverableError,
  decodePayload,
} from '../../lib/engine/index.js';
import type { ConsumerJob } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

interface Mail {
  to: string;
}

/** Runs parts until the test is over. */
class Parts {
  readonly #controller = new AbortController();
  readonly #running: Promise<void>[] = [];

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  add(running: Promise<void>): void {
    this.#running.push(running);
  }

  async end(): Promise<void> {
    this.#controller.abort();
    await Promise.all(this.#running);
  }
}

let parts = new Parts();

afterEach(async () => {
  await parts.end();
  parts = new Parts();
});

function consume(handler: (job: ConsumerJob<Mail>) => unknown, config = {}): void {
  const consumer = new Consumer<Mail>(redis.server.url, { queueName: 'mails', ...config });
  parts.add(consumer.run(handler, parts.signal));
}

describe('Producer and Consumer', () => {
  it('every way to add', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    const to = (name: string): Mail => ({ to: name });
    const ids = [
      await producer.add(to('add')),
      await producer.addWithId('mine', to('addWithId')),
      await producer.addWithOptions(to('addWithOptions'), { name: 'send', retry: { maxAttempts: 7 } }),
      ...(await producer.addBulk([to('addBulk')])),
      ...(await producer.addBulkWithOptions([to('addBulkWithOptions')], { name: 'send' })),
      ...(await producer.addBulkNamed([['named', to('addBulkNamed')]])),
      await producer.addIn(5, to('addIn')),
      await producer.addAt(new Date(Date.now() + 5), to('addAt')),
      ...(await producer.addInBulk(5, [to('addInBulk')])),
      await producer.addInWithOptions(5, to('addInWithOptions'), { name: 'later' }),
      await producer.addAtWithOptions(Date.now() + 5, to('addAtWithOptions'), { name: 'at' }),
      await producer.addInWithId('in', 5, to('addInWithId')),
      await producer.addAtWithId('at', Date.now() + 5, to('addAtWithId')),
      ...(await producer.addInBulkWithIds(5, [['bulk', to('addInBulkWithIds')]])),
    ];
    const seen = new Map<string, string>();
    consume((job) => {
      seen.set(job.id, `${job.name}:${job.payload.to}`);
    });
    await vi.waitFor(() => {
      expect(seen.size).toBe(ids.length);
    });
    expect(ids.map((id) => seen.get(id))).toEqual([
      ':add',
      ':addWithId',
      'send:addWithOptions',
      ':addBulk',
      'send:addBulkWithOptions',
      'named:addBulkNamed',
      ':addIn',
      ':addAt',
      ':addInBulk',
      'later:addInWithOptions',
      'at:addAtWithOptions',
      ':addInWithId',
      ':addAtWithId',
      ':addInBulkWithIds',
    ]);
  });

  it('one id for several payloads is refused before anything is written', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    await expect(
      producer.addBulkWithOptions([{ to: 'a' }, { to: 'b' }], { id: 'one' }),
    ).rejects.toMatchObject({ code: 'CMQ-004' });
    expect(await redis.client.exists(producer.streamKey, producer.delayedKey)).toBe(0);
  });

  it('cancels delayed jobs, one and many', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    const ulid = await producer.addIn(60_000, { to: 'a' });
    await producer.addInBulkWithIds(60_000, [
      ['x', { to: 'b' }],
      ['y', { to: 'c' }],
    ]);
    expect(await producer.cancelDelayed(ulid)).toBe(true);
    expect(await producer.cancelDelayedBulk(['x', 'nobody', 'y', 'x'])).toEqual([true, false, true, false]);
    expect(await redis.client.exists(producer.delayedKey)).toBe(0);
  });

  it('stores results, one and many, and none for an empty Buffer', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    const ids = await producer.addBulk([{ to: 'ada' }, { to: 'nothing' }]);
    consume((job) => (job.payload.to === 'nothing' ? Buffer.alloc(0) : { sent: job.payload.to }), {
      storeResults: true,
    });
    await vi.waitFor(async () => {
      expect(await redis.client.xlen(producer.streamKey)).toBe(0);
    });
    const [ada, nothing] = await producer.getResultBulk(ids);
    expect(ada && decodePayload(ada)).toEqual({ sent: 'ada' });
    expect(nothing).toBeUndefined();
    expect(await producer.getResult('unknown')).toBeUndefined();
  });

  it('reads dead letters and replays them', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    await producer.addWithOptions({ to: 'bad' }, { name: 'send' });
    let isFixed = false;
    const sent: string[] = [];
    consume((job) => {
      if (!isFixed) throw new UnrecoverableError('no such address');
      sent.push(job.payload.to);
    });
    await vi.waitFor(async () => {
      expect(await producer.peekDlq(10)).toMatchObject([{ name: 'send', reason: 'unrecoverable' }]);
    });
    isFixed = true;
    expect(await producer.replayDlq(10)).toBe(1);
    await vi.waitFor(() => {
      expect(sent).toEqual(['bad']);
    });
    expect(await redis.client.xlen(producer.dlqKey)).toBe(0);
  });

  it('a wrong option is refused, and the message names the right one', async () => {
    await expect(Producer.connect(redis.server.url, { queueNam: 'mails' } as never)).rejects.toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining('queueName') as string,
    });
    expect(() => new Consumer(redis.server.url, { concurency: 3 } as never)).toThrow(/"concurrency"/);
    expect(() => new Promoter(redis.server.url, { promoteBach: 3 } as never)).toThrow(/"promoteBatch"/);
    expect(() => new Scheduler(redis.server.url, { tickInterval: 3 } as never)).toThrow(/"tickIntervalMs"/);
  });
});

describe('Promoter and Scheduler in processes of their own', () => {
  it('promote for consumers without a promoter, and wake for an earlier job', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    const ran: string[] = [];
    consume(
      (job) => {
        ran.push(job.payload.to);
      },
      { delayedEnabled: false, runScheduler: false },
    );
    const promoted: number[] = [];
    const promoter = new Promoter(redis.server.url, {
      queueName: 'mails',
      metrics: { promoterTick: (tick) => promoted.push(tick.promoted) },
    });
    parts.add(promoter.run(parts.signal));
    await producer.addIn(60_000, { to: 'late' });
    await producer.addIn(50, { to: 'soon' });
    // The job may run before its promoter has read the answer.
    await vi.waitFor(() => {
      expect(ran).toEqual(['soon']);
      expect(promoted.reduce((sum, count) => sum + count, 0)).toBe(1);
    });
  });

  it('fire schedules for consumers without a scheduler', async () => {
    await using producer = await Producer.connect<Mail>(redis.server.url, { queueName: 'mails' });
    const ran: string[] = [];
    consume(
      (job) => {
        ran.push(job.name);
      },
      { delayedEnabled: false, runScheduler: false },
    );
    const scheduler = new Scheduler(redis.server.url, { queueName: 'mails', tickIntervalMs: 20 });
    parts.add(scheduler.run(parts.signal));
    const key = await producer.upsertRepeatable({
      jobName: 'digest',
      pattern: RepeatPattern.every(30),
      payload: { to: 'all' },
    });
    await vi.waitFor(() => {
      expect(ran.length).toBeGreaterThanOrEqual(3);
    });
    expect(await producer.listRepeatable(10)).toMatchObject([{ key, jobName: 'digest' }]);
    expect(await producer.removeRepeatable(key)).toBe(true);
    expect(await producer.removeRepeatable(key)).toBe(false);
  });
});
