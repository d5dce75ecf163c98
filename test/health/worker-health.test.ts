import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ReadingTimes } from '../../lib/engine/worker/health.js';
import { Queue, Worker, type WorkerOptions } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  redis.server.resume();
  for (const it of open.splice(0).reverse()) await it.close();
});

function worker(handler: () => Promise<unknown>, options: Partial<WorkerOptions> = {}): Worker {
  const made = new Worker('mail', handler, { connection: redis.connection, autorun: false, ...options });
  open.push(made);
  return made;
}

function queue(): Queue {
  const made = new Queue('mail', { connection: redis.connection });
  open.push(made);
  return made;
}

/** An event of the worker is emitted in the midst of a step; this is after it. */
const aTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Worker.health', () => {
  it('has the state from before the start until after the end', async () => {
    const mail = worker(async () => {});
    expect(mail.health()).toMatchObject({ state: 'idle', lastReadAgeMs: undefined, leasesLost: 0 });
    const ready = once(mail, 'ready');
    void mail.run();
    expect(mail.health().state).toBe('starting');
    await ready;
    expect(mail.health().state).toBe('running');
    const closed = mail.close();
    expect(mail.health().state).toBe('closing');
    await closed;
    expect(mail.health().state).toBe('closed');
  });

  it('has the time since the last answer to a read', async () => {
    const mail = worker(async () => {});
    const completed = once(mail, 'completed');
    void mail.run();
    await queue().add('send', 1);
    await completed;
    await aTick();
    const health = mail.health();
    expect(health.lastReadAgeMs).toBeGreaterThanOrEqual(0);
    expect(health).toMatchObject({ failures: 0, lastError: undefined, blockMs: 5_000, concurrency: 100 });
  });

  it('is full while every handler is busy, although it reads ahead', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    let bothRun = (): void => {};
    const areRunning = new Promise<void>((resolve) => (bothRun = resolve));
    const mail = worker(
      async () => {
        if (++running === 3) bothRun();
        // The first job is short, so the worker reads ahead.
        if (running > 1) await released;
      },
      { concurrency: 2, blockMs: 60_000 },
    );
    const completed = once(mail, 'completed');
    void mail.run();
    const jobs = queue();
    await jobs.add('send', 'short');
    await completed;
    await jobs.addBulk([1, 2, 3].map((data) => ({ name: 'send', data })));
    await areRunning;
    await delay(200);
    expect(mail.health()).toMatchObject({ running: 2, concurrency: 2 });
    expect(mail.health().fullMs).toBeGreaterThan(150);
    const done = once(mail, 'completed');
    release();
    await done;
    await aTick();
    expect(mail.health().fullMs).toBe(0);
  });

  it('is full, and not stalled, while every handler is busy', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const mail = worker(() => released, { concurrency: 1, batch: 1 });
    const active = once(mail, 'active');
    void mail.run();
    await queue().add('send', 1);
    await active;
    await aTick();
    const { running, unansweredMs, fullMs } = mail.health();
    expect({ running, unansweredMs }).toEqual({ running: 1, unansweredMs: 0 });
    expect(fullMs).toBeGreaterThanOrEqual(0);
    const completed = once(mail, 'completed');
    release();
    await completed;
    await aTick();
    expect(mail.health().running).toBe(0);
  });

  it('counts reads without an answer, until one is answered', async () => {
    const mail = worker(async () => {}, { blockMs: 20, commandTimeoutMs: 200 });
    const ready = once(mail, 'ready');
    void mail.run();
    await ready;
    const failed = new Promise<void>((resolve) => {
      mail.on('error', ({ message }) => {
        if (message.includes('blocking read')) resolve();
      });
    });
    redis.server.pause();
    await failed;
    await aTick();
    const { failures, unansweredMs, lastError } = mail.health();
    expect(failures).toBeGreaterThanOrEqual(1);
    expect(unansweredMs).toBeGreaterThanOrEqual(1_000);
    expect(lastError).toContain('did not answer a blocking read');
    redis.server.resume();
    const completed = once(mail, 'completed');
    await queue().add('send', 1);
    await completed;
    await aTick();
    expect(mail.health()).toMatchObject({ failures: 0, lastError: undefined });
  });

  it('counts lost leases', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const mail = worker(() => released, { claimMinIdleMs: 60 });
    mail.on('error', () => {});
    const active = once(mail, 'active');
    void mail.run();
    const mailQueue = queue();
    await mailQueue.add('send', 1);
    await active;
    const lost = once(mail, 'error');
    const [entry] = await redis.client.xrange(mailQueue.keys.stream, '-', '+');
    await redis.client.xclaim(mailQueue.keys.stream, 'default', 'another', 0, entry![0]);
    await lost;
    const { leasesLost, lastLeaseLostAgeMs } = mail.health();
    expect(leasesLost).toBe(1);
    expect(lastLeaseLostAgeMs).toBeGreaterThanOrEqual(0);
    release();
  });
});

describe('ReadingTimes', () => {
  it('counts an unanswered question over all tries, and not while there is no room', () => {
    let now = 1_000;
    const times = new ReadingTimes(() => now);
    expect(times.health).toEqual({
      lastReadAgeMs: undefined,
      unansweredMs: 0,
      fullMs: 0,
      failures: 0,
      lastError: undefined,
      fastReads: undefined,
    });
    times.waitsForRoom();
    times.asks();
    now += 50;
    times.failed('gone');
    times.waitsForRoom();
    times.asks();
    now += 50;
    expect(times.health).toMatchObject({ unansweredMs: 100, fullMs: 0, failures: 1, lastError: 'gone' });
    times.answered();
    times.waitsForRoom();
    now += 70;
    expect(times.health).toEqual({
      lastReadAgeMs: 70,
      unansweredMs: 0,
      fullMs: 70,
      failures: 0,
      lastError: undefined,
      fastReads: undefined,
    });
  });
});
