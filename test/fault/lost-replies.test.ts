import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import type { Processor, WorkerOptions } from '../../lib/engine/index.js';
import { SOURCES } from '../../lib/redis/scripts.generated.js';
import type { ScriptName } from '../../lib/redis/scripts.generated.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';

/*
 * A call is carried out, its reply is lost, and the connection is cut: the client sends the call again by itself. Or the
 * reply does not come in time, and the caller makes the call again. Either way the caller hears what the first call did.
 */

const redis = useRedis();
const NAME = 'lost-replies';
const COMMAND_TIMEOUT_MS = 300;

let proxy: TcpProxy;
let queue: Queue<number>;
let open: { close: () => Promise<unknown> }[];

beforeEach(async () => {
  proxy = await TcpProxy.start(redis.connection);
  // Else the first reply says only that the server does not know the script.
  for (const { lua } of Object.values(SOURCES)) await redis.client.script('LOAD', lua);
  queue = new Queue<number>(NAME, { connection: redis.connection });
  open = [queue];
});

afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  await proxy.stop();
});

const shaOf = (script: ScriptName): string => createHash('sha1').update(SOURCES[script].lua).digest('hex');

type Lose = (script: ScriptName, act: () => unknown) => Promise<void>;

/** The next call of the script is carried out; then the connection breaks, before the reply has passed. */
const loseReply: Lose = async (script, act) => {
  const cut = proxy.cutAtReplyTo(shaOf(script));
  act();
  await cut;
};

/** The same, but the connection stays for longer than the caller waits for a reply, so that it calls again. */
const withholdReply: Lose = async (script, act) => {
  const withheld = proxy.withholdReplyTo(shaOf(script));
  act();
  await withheld;
  await delay(2 * COMMAND_TIMEOUT_MS);
  proxy.blackholeReplies(false);
  proxy.cut();
};

interface Told {
  worker: Worker<number>;
  /** What it said of the jobs: event, data, attempt. */
  events: string[];
  leasesLost: () => number;
}

async function start(processor: Processor<number>, options: Partial<WorkerOptions> = {}): Promise<Told> {
  const worker = new Worker<number>(NAME, processor, {
    blockMs: 500,
    claimMinIdleMs: 5_000,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    concurrency: 50,
    shutdownDeadlineSecs: 1,
    ...options,
    connection: { host: proxy.host, port: proxy.port },
  });
  open.unshift(worker);
  const events: string[] = [];
  let lost = 0;
  worker.on('completed', (job) => events.push(`completed ${job.data}.${job.attemptsMade}`));
  worker.on('failed', (job, error) => events.push(`failed ${job.data}.${job.attemptsMade} ${error.message}`));
  worker.on('error', (error) => {
    if (error.name === 'LeaseLostError') lost += 1;
  });
  await worker.waitUntilReady();
  return { worker, events, leasesLost: () => lost + worker.health().leasesLost };
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function ended({ events }: Told, count: number): Promise<void> {
  await waitUntil('The events', 8_000, async () => (events.length >= count ? undefined : String(events)));
}

async function started(count: number): Promise<void> {
  await waitUntil('The jobs', 5_000, async () => {
    const [pending] = (await redis.client.xpending(queue.keys.stream, 'default')) as [number];
    return pending === count ? undefined : `${pending} taken`;
  });
  // The reply that carries them is on its way.
  await delay(50);
}

describe.each([
  ['and the connection is cut', loseReply],
  ['and the call is made again after its deadline', withholdReply],
])('the reply to a commit is lost, %s', (_, lose) => {
  it.each([1, 30])('%d completed jobs have completed, and no lease was lost', async (count) => {
    const { opened, open: release } = gate();
    const told = await start(
      async (job) => {
        await opened;
        return job.data;
      },
      { storeResults: true },
    );
    const jobs = await queue.addBulk(
      Array.from({ length: count }, (__, data) => ({
        name: 'a',
        data,
        opts: data % 3 ? {} : { jobId: `id-${data}` },
      })),
    );
    await started(count);
    await lose('complete', release);
    await ended(told, count);
    expect([...told.events].sort()).toEqual(jobs.map(({ data }) => `completed ${data}.1`).sort());
    expect(told.leasesLost()).toBe(0);
    expect(await Promise.all(jobs.map(({ id }) => queue.getJobResult(id)))).toEqual(
      jobs.map(({ data }) => data),
    );
  });

  it('retries come when they are due', async () => {
    const { opened, open: release } = gate();
    let again = 0;
    const told = await start(async (job) => {
      if (job.attemptsMade > 1) {
        again = performance.now();
        return;
      }
      await opened;
      throw new Error('once');
    });
    await queue.add('a', 1, { attempts: 3, backoff: { type: 'fixed', delay: 100, jitterMs: 0 } });
    await started(1);
    await lose('retry', release);
    const healed = performance.now();
    await ended(told, 2);
    expect(told.events).toEqual(['failed 1.1 once', 'completed 1.2']);
    expect(again - healed).toBeLessThan(3_000);
    expect(told.leasesLost()).toBe(0);
  });

  it('a job that its handler has moved goes on once, when it is due', async () => {
    const { opened, open: release } = gate();
    let moved = false;
    const told = await start(async (job) => {
      if (moved) return;
      moved = true;
      await opened;
      await job.moveToDelayed(Date.now() + 100);
    });
    await queue.add('a', 1, { attempts: 1, jobId: 'one', ttlMs: 60_000 });
    await started(1);
    await lose('retry', release);
    await ended(told, 1);
    expect(told.events).toEqual(['completed 1.1']);
    expect(told.leasesLost()).toBe(0);
    expect(await redis.client.exists(queue.keys.delayed)).toBe(0);
  });

  it('a job that has expired is dropped once', async () => {
    await queue.add('a', 1, { ttlMs: 1, expired: 'drop', jobId: 'one' });
    await delay(20);
    let starting!: Promise<Told>;
    await lose('end-without-letter', () => {
      starting = start(() => undefined);
    });
    const told = await starting;
    await ended(told, 1);
    expect(told.events).toEqual([
      expect.stringMatching(/^failed 1\.1 It did not start within its ttlMs of 1 ms/),
    ]);
    expect(told.leasesLost()).toBe(0);
    expect((await queue.add('a', 1, { jobId: 'one' })).duplicate).toBe(false);
  });

  it.each([
    ['dead-letter', { attempts: 1 }, 'failed 1.1 x', 1],
    ['end-without-letter', { attempts: 5 }, 'failed 1.1 Job one of queue "lost-replies" was cancelled.', 0],
  ] as const)('%s: the job has failed once, for good', async (script, options, event, deadLetters) => {
    const { opened, open: release } = gate();
    const told = await start(async () => {
      await opened;
      throw new Error('x');
    });
    await queue.add('a', 1, { ...options, jobId: 'one' });
    await started(1);
    if (script === 'end-without-letter') {
      await queue.cancel('one');
      // Until it is heard; it could come too late for a handler that ends at once.
      await delay(300);
    }
    await lose(script, release);
    await ended(told, 1);
    expect(told.events).toEqual([event]);
    expect(told.leasesLost()).toBe(0);
    expect(await queue.peekDlq()).toHaveLength(deadLetters);
  });
});

describe('the reply to a call of the queue is lost, and the connection is cut: it resolves with what it did', () => {
  let far: Queue<number>;

  beforeEach(async () => {
    far = new Queue<number>(NAME, { connection: { host: proxy.host, port: proxy.port } });
    open.unshift(far);
    await far.waitUntilReady();
  });

  async function lost<T>(script: ScriptName, call: () => Promise<T>): Promise<T> {
    let reply!: Promise<T>;
    await loseReply(script, () => {
      reply = call();
    });
    return reply;
  }

  it('remove, cancel', async () => {
    await queue.add('a', 1, { jobId: 'one' });
    expect(await lost('change-job', () => far.remove('one'))).toBe(1);
    expect(await far.remove('one')).toBe(0);
    await queue.add('a', 1, { jobId: 'two', delay: 60_000 });
    expect(await lost('cancel', () => far.cancel('two'))).toBe('removed');
    expect(await far.cancel('two')).toBe('gone');
  });

  it('job.promote, changeDelay, moveToDelayed, updateData', async () => {
    const job = await far.add('a', 1, { jobId: 'one', delay: 60_000 });
    await lost('change-job', () => job.changeDelay(90_000));
    await lost('change-job', () => job.updateData(2));
    await lost('change-job', () => job.promote());
    await lost('change-job', () => job.updateData(3));
    expect(await redis.client.xlen(queue.keys.stream)).toBe(1);
    await lost('change-job', () => job.moveToDelayed(Date.now() + 60_000));
    expect(await redis.client.xlen(queue.keys.stream)).toBe(0);
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(1);
    await expect(far.remove('one')).resolves.toBe(1);
  });

  it('drain, clean, promoteJobs, obliterate: what was added after the first call stays', async () => {
    const jobs = Array.from({ length: 20 }, (_, data) => ({ name: 'a', data }));
    const delayed = jobs.map((job, i) => ({ ...job, opts: { delay: 60_000, jobId: `d${String(i)}` } }));
    await queue.addBulk(jobs);
    const done: number[] = [];
    await lost('sweep-waiting', () => far.drain(false, { onProgress: (at) => done.push(at.done) }));
    expect(done).toEqual([20]);
    await queue.addBulk(delayed);
    expect(await lost('sweep-delayed', () => far.clean(0, 5, 'delayed'))).toHaveLength(5);
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(15);
    await lost('promote-jobs', () => far.promoteJobs({ count: 10 }));
    expect(await redis.client.xlen(queue.keys.stream)).toBe(15);
    const added: Promise<unknown>[] = [];
    const begun = proxy.cutAtReplyTo(shaOf('begin-obliterate')).then(() => {
      added.push(queue.add('a', 1));
    });
    await Promise.all([begun, far.obliterate()]);
    await Promise.all(added);
    expect(await redis.client.xlen(queue.keys.stream)).toBe(1);
  });

  it('pause and resume: what another caller does after the first call stays', async () => {
    /** The reply to `call` is withheld until `after` is over. Then the connection is cut. */
    const overtaken = async (call: () => Promise<void>, after: () => Promise<void>): Promise<void> => {
      const withheld = proxy.withholdReplyTo(shaOf('set-pause'));
      const reply = call();
      await withheld;
      await after();
      proxy.blackholeReplies(false);
      proxy.cut();
      await reply;
    };
    await overtaken(
      () => far.pause(),
      () => queue.resume(),
    );
    expect(await queue.isPaused()).toBe(false);
    await queue.pause();
    await overtaken(
      () => far.resume(),
      () => queue.pause(),
    );
    expect(await queue.isPaused()).toBe(true);
  });

  it('retryJobs and clean of jobs that have completed', async () => {
    const worker = new Worker<number>(NAME, () => 1, { connection: redis.connection });
    const tracking = new Queue<number>(NAME, { connection: redis.connection, trackJobs: true });
    open.unshift(tracking);
    const completed = `${queue.keys.prefix}completed`;
    await tracking.addBulk(Array.from({ length: 20 }, (_, data) => ({ name: 'a', data })));
    await waitUntil('The completed jobs', 5_000, async () => {
      const length = await redis.client.zcard(completed);
      return length === 20 ? undefined : `${length}`;
    });
    await worker.close();
    expect(await lost('sweep-completed', () => far.clean(0, 5))).toHaveLength(5);
    await lost('retry-completed', () => far.retryJobs({ state: 'completed', count: 10 }));
    expect(await redis.client.xlen(queue.keys.stream)).toBe(15);
    expect(await redis.client.zcard(completed)).toBe(0);
  });

  it('replayDlq, dropDlq', async () => {
    const worker = new Worker<number>(
      NAME,
      () => {
        throw new Error('x');
      },
      { connection: redis.connection, maxAttempts: 1 },
    );
    await queue.addBulk(Array.from({ length: 20 }, (_, data) => ({ name: 'a', data })));
    await waitUntil('The dead letters', 5_000, async () => {
      const length = await redis.client.xlen(queue.keys.dlq);
      return length === 20 ? undefined : `${length}`;
    });
    await worker.close();
    expect(await lost('replay-dead-letters', () => far.replayDlq(5))).toBe(5);
    expect(await redis.client.xlen(queue.keys.stream)).toBe(5);
    expect(await lost('drop-dead-letters', () => far.dropDlq({ all: true }))).toBe(15);
  });

  it('add with repeat, removeRepeatableByKey', async () => {
    const options = { repeat: { every: 60_000 } };
    const spec = await lost('upsert-schedule', () => far.add('tick', 1, options));
    expect(spec.duplicate).toBe(false);
    expect((await far.add('tick', 1, options)).duplicate).toBe(true);
    expect(await lost('remove-schedules', () => far.removeRepeatableByKey(spec.id))).toBe(true);
    expect(await far.removeRepeatableByKey(spec.id)).toBe(false);
  });

  it('pauseJobScheduler, resumeJobScheduler, runJobScheduler', async () => {
    await far.upsertJobScheduler('k', { every: 60_000 }, { data: 1 });
    expect(await lost('pause-schedule', () => far.pauseJobScheduler('k'))).toBe(true);
    expect(await far.pauseJobScheduler('k')).toBe(false);
    expect(await lost('resume-schedule', () => far.resumeJobScheduler('k'))).toBe(true);
    expect(await far.resumeJobScheduler('k')).toBe(false);
    // A pause that arrives again after the schedule was resumed changes nothing.
    expect(await far.getJobScheduler('k')).toMatchObject({ paused: false });
    expect((await lost('add', () => far.runJobScheduler('k'))).duplicate).toBe(false);
    expect(await redis.client.xlen(far.keys.stream)).toBe(1);
    // One that resumes a schedule after its end removes it, once.
    await far.upsertJobScheduler('ends', { every: 100, endDate: Date.now() + 400 }, { data: 1 });
    await far.pauseJobScheduler('ends');
    await delay(500);
    expect(await lost('resume-schedule', () => far.resumeJobScheduler('ends'))).toBe(true);
    expect(await far.getJobSchedulersCount()).toBe(1);
  });
});
