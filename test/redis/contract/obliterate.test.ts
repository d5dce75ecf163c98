import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CommandLink } from '../../../lib/engine/connection/command-link.js';
import { LeaseLostError, UnrecoverableError } from '../../../lib/engine/index.js';
import { setPause } from '../../../lib/redis/scripts/set-pause.js';
import { KEYS, Latch, addDeadLetter, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;

async function fill(name = 'mail', count = 200): Promise<void> {
  const queue = redis.queue({}, name);
  await queue.addBulk(
    Array.from({ length: count }, (_, i) => ({
      name: 'a',
      data: i,
      opts: { ...(i % 2 === 0 && { jobId: `j${i}` }), ...(i % 4 < 2 && { delay: HOUR }) },
    })),
  );
  await queue.add('tick', 1, { repeat: { every: HOUR } });
}

/** Keys that expire by themselves, and say nothing about jobs, may stay for a while. */
const left = async (): Promise<string[]> =>
  (await redis.keys()).filter((key) => key.startsWith('{chasqui:mail}') && !/:repeat:gone:|lock$/.test(key));

describe('obliterate', () => {
  test('deletes everything of the queue, and nothing of another', async () => {
    await fill('mail');
    await fill('mail2', 10);
    await redis.client.set('{chasqui:mail', 'not ours');
    await addDeadLetter(redis, { jobId: 'dead' });
    await redis.client.set(KEYS.result('old'), 'x');
    await redis.client.set(KEYS.cancelled('1-1'), 'x');
    const others = (await redis.keys()).filter((key) => !key.startsWith('{chasqui:mail}'));
    const queue = redis.queue();
    const progress: number[] = [];
    await queue.obliterate({ count: 50, onProgress: ({ done }) => progress.push(done) });
    expect(progress.at(-1)).toBeGreaterThan(100);
    expect(await left()).toEqual([]);
    expect((await redis.keys()).filter((key) => !key.startsWith('{chasqui:mail}'))).toEqual(others);
    expect(await redis.client.hexists(KEYS.meta, 'paused')).toBe(0);
    expect((await queue.add('a', 1, { jobId: 'j2' })).duplicate).toBe(false);
  });

  test('escapes the name of the queue, which may look like a pattern', async () => {
    await fill('m*[a-z]?\\', 10);
    await fill('mail', 10);
    const before = (await redis.keys()).filter((key) => key.startsWith('{chasqui:mail}'));
    await redis.queue({}, 'm*[a-z]?\\').obliterate();
    const keys = await redis.keys();
    expect(keys.filter((key) => key.startsWith('{chasqui:mail}'))).toEqual(before);
    expect(keys.filter((key) => key.startsWith('{chasqui:m*') && !key.includes(':repeat:gone'))).toEqual([]);
  });

  test('of an empty queue leaves nothing', async () => {
    await redis.queue({ eventsEnabled: false }).obliterate();
    expect(await left()).toEqual([]);
    await redis.queue().obliterate();
    expect(await left()).toEqual([]);
  });

  test('those who listen hear that the pause is over, and nothing is left', async () => {
    const queue = redis.queue();
    const events = await redis.events();
    const heard: string[] = [];
    events.on('paused', () => heard.push('paused'));
    events.on('resumed', () => heard.push('resumed'));
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    await queue.obliterate({ force: true });
    await eventually(() => {
      expect(heard).toEqual(['paused', 'resumed']);
    });
    await worker.close();
    expect(await left()).toEqual([]);
    // Events that come meanwhile stay.
    await queue.pause();
    await queue.resume();
    const link = new CommandLink(redis.connection);
    await link.ready();
    expect(await setPause(link, queue.keys, { to: 'forget-end', eventsCap: 1 })).toBe(false);
    link.release();
    expect(await left()).toContain(KEYS.events);
  });

  test.each([false, true])(
    'refuses if jobs run, and changes nothing (paused before: %s)',
    async (isPaused) => {
      const latch = new Latch();
      const worker = redis.worker(() => latch.opened, { concurrency: 2, batch: 2 });
      const active = take(worker, 'active', 2);
      const queue = redis.queue();
      await queue.addBulk(Array.from({ length: 6 }, (_, data) => ({ name: 'a', data })));
      await active;
      if (isPaused) await redis.client.hset(KEYS.meta, 'paused', '5');
      const error = await rejection(queue.obliterate());
      expect(error).toMatchObject({ code: 'CMQ-108', name: 'JobsActiveError', queue: 'mail' });
      expect((error as { active?: number }).active).toBeGreaterThanOrEqual(2);
      expect(await redis.client.xlen(KEYS.stream)).toBe(6);
      expect(await redis.client.hget(KEYS.meta, 'paused')).toBe(isPaused ? '5' : null);
      await redis.client.del(KEYS.meta);
      const rest = take(worker, 'completed', 6);
      latch.open();
      expect(await rest).toHaveLength(6);
    },
  );

  test('with force, running jobs end as lost, and the worker goes on with later jobs', async () => {
    const queue = redis.queue();
    await fill('mail', 40);
    const latch = new Latch();
    const ran: unknown[] = [];
    const worker = redis.worker(
      async (job) => {
        ran.push(job.data);
        if (job.data !== 'later') await latch.opened;
      },
      { concurrency: 2, claimMinIdleMs: 200 },
    );
    await next(worker, 'active');
    await queue.obliterate({ force: true });
    const later = await queue.addBulk(
      Array.from({ length: 5 }, (_, i) => ({ name: 'a', data: 'later', opts: { jobId: `later${i}` } })),
    );
    latch.open();
    const done = new Set<string>();
    worker.on('completed', ({ id }) => done.add(id));
    await eventually(() => {
      expect([...done].sort()).toEqual(later.map(({ id }) => id));
    });
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
    expect(ran.filter((data) => data === 'later')).toHaveLength(5);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect(redis.errors.length).toBeGreaterThan(0);
    for (const error of redis.errors) {
      expect(error).toBeInstanceOf(LeaseLostError);
      expect(error.message).toMatch(
        /in Redis, the job is not this worker's any more\. Either it was deleted while it was active \(obliterate with force,/,
      );
    }
    redis.errors.length = 0;
  });

  describe.each<[how: string, forget: () => Promise<unknown>]>([
    ['obliterate', () => redis.queue().obliterate({ force: true })],
    ['DEL of the stream', () => redis.client.del(KEYS.stream)],
    ['XGROUP DESTROY', () => redis.client.xgroup('DESTROY', KEYS.stream, 'default')],
    ['FLUSHALL', () => redis.client.flushall()],
  ])('after %s, jobs end as lost, without an error', (how, forget) => {
    const handlers: Record<string, () => unknown> = {
      completed: () => 'done',
      retried: () => {
        throw new Error('no');
      },
      dead: () => {
        throw new UnrecoverableError('no');
      },
    };
    const groups = { group: { id: 'tenant' }, attempts: 3 };
    const add = (): Promise<unknown> =>
      redis.queue().addBulk(
        ['a', 'b'].flatMap((data) =>
          Object.keys(handlers).map((name, i) => ({
            name,
            data,
            opts: { ...groups, ...(i === 0 && { jobId: data }) },
          })),
        ),
      );

    test.each([true, false])('where the worker is closing: %s', async (isClosing) => {
      const latch = new Latch();
      const worker = redis.worker(
        async (job) => {
          await latch.opened;
          return handlers[job.name]?.();
        },
        { concurrency: 6, storeResults: true, claimMinIdleMs: 600 },
      );
      const active = take(worker, 'active', 6);
      await add();
      await active;
      const begun = performance.now();
      const gone = forget();
      // In the same tick: a worker that hears that the group is gone before it closes creates it anew.
      const closing = isClosing ? worker.close() : undefined;
      await gone;
      await sleep(isClosing ? 100 : 0);
      latch.open();
      if (closing) {
        await closing;
        expect(performance.now() - begun).toBeLessThan(5_000);
      }
      await eventually(() => {
        expect(redis.errors.map(({ name }) => name)).toEqual(Array(6).fill('LeaseLostError'));
      });
      redis.errors.length = 0;
      const keys = await left();
      // Of jobs that are gone, nothing comes back. XGROUP DESTROY leaves the jobs: a worker that goes on makes the group anew, and runs
      // them again.
      if (isClosing || how !== 'XGROUP DESTROY') {
        const ofJobs = keys.filter((key) =>
          /:(dlq|delayed|completed|didx:.*|result:.*|failed:.*)$/.test(key),
        );
        expect(ofJobs).toEqual([]);
      }
      if (isClosing && how !== 'XGROUP DESTROY') expect(keys).not.toContain(KEYS.stream);
      // The event stream is there if a job ended before the worker had heard that the jobs are gone.
      if (isClosing && how === 'FLUSHALL') expect(keys.filter((key) => key !== KEYS.events)).toEqual([]);
    });
  });

  test('wakes the workers at the end, so that they learn at once of the lifted pause', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    for (let i = 0; i < 3; i += 1) {
      const [paused, resumed] = [next(worker, 'paused'), next(worker, 'resumed')];
      await queue.obliterate();
      await paused;
      const over = performance.now();
      await resumed;
      // A worker that got no wake learns of it a second after the pause.
      expect(performance.now() - over).toBeLessThan(700);
      const completed = next(worker, 'completed');
      await queue.add('a', i);
      await completed;
    }
  });

  test('while a worker starts: no error, and the worker learns at once that the pause is over', async () => {
    const queue = redis.queue();
    const late: number[] = [];
    for (let i = 0; i < 24; i += 1) {
      const worker = redis.worker(() => undefined);
      const completed = next(worker, 'completed');
      await sleep((i % 8) * 2);
      await queue.obliterate();
      const added = performance.now();
      await queue.add('a', i);
      await completed;
      late.push(performance.now() - added);
      await worker.close();
    }
    // A worker that got no wake looks a second after its last look.
    expect(late.filter((ms) => ms > 800)).toEqual([]);
  });

  test('does not leave the queue paused when the reply of its first step is lost', async () => {
    const queue = redis.queue({ commandTimeoutMs: 300 });
    await queue.add('a', 1);
    await redis.client.client('PAUSE', 1_500, 'WRITE');
    expect(await rejection(queue.obliterate())).toMatchObject({ code: 'CMQ-001' });
    // Redis executes what it got meanwhile.
    await redis.client.client('UNPAUSE');
    await redis.client.set('after', 1);
    await eventually(async () => {
      expect(await redis.client.hexists(KEYS.meta, 'paused')).toBe(0);
    });
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test('whose process dies does not leave the queue paused', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    // As the process that dies has left it, or a call that lost its reply.
    const dead = new CommandLink(redis.connection);
    await dead.ready();
    const lease = { to: 'paused', leaseMs: 500, eventsCap: 0 } as const;
    const paused = next(worker, 'paused');
    expect(await setPause(dead, queue.keys, lease)).toBe(true);
    expect(await setPause(dead, queue.keys, lease)).toBe(true);
    dead.release();
    await paused;
    expect(await queue.isPaused()).toBe(true);
    const resumed = next(worker, 'resumed');
    await queue.add('a', 1);
    await Promise.all([resumed, next(worker, 'completed')]);
    expect(await redis.client.exists(KEYS.meta)).toBe(0);
    await redis.client.hset(KEYS.meta, 'paused', '1', 'until', '2');
    await worker.close();
    expect((await queue.getBacklog()).paused).toBe(false);
    expect(await queue.isPaused()).toBe(false);
  });

  describe('leaves a pause of the user, who pauses meanwhile', () => {
    test('when jobs are active', async () => {
      const latch = new Latch();
      const worker = redis.worker(() => latch.opened);
      const active = next(worker, 'active');
      const queue = redis.queue();
      await queue.addBulk([
        { name: 'a', data: 1 },
        { name: 'a', data: 2 },
      ]);
      await active;
      const refused = rejection(queue.obliterate());
      await eventually(async () => {
        expect(await redis.client.hkeys(KEYS.meta)).toEqual(['paused', 'until']);
      });
      await redis.queue().pause();
      expect(await redis.client.hkeys(KEYS.meta)).toEqual(['paused']);
      expect(await refused).toMatchObject({ code: 'CMQ-108' });
      expect(await queue.isPaused()).toBe(true);
      const both = take(worker, 'completed', 2);
      latch.open();
      await queue.resume();
      await both;
    });

    test.each([
      ['when its signal ends it', true],
      ['when it succeeds', false],
    ])('%s', async (_, isAborted) => {
      await fill('mail', 100);
      const queue = redis.queue();
      const abort = new AbortController();
      const onProgress = async (): Promise<void> => {
        await queue.pause();
        if (isAborted) abort.abort();
      };
      const call = queue.obliterate({ count: 10, signal: abort.signal, onProgress });
      if (isAborted) expect(await rejection(call)).toBe(abort.signal.reason);
      else await call;
      expect(await redis.client.hkeys(KEYS.meta)).toEqual(['paused']);
    });
  });

  test('deletes a pause of before with the jobs; a refused call leaves it', async () => {
    const queue = redis.queue();
    await fill('mail', 100);
    await queue.pause();
    const aborted = AbortSignal.abort();
    expect(await rejection(queue.obliterate({ signal: aborted }))).toBe(aborted.reason);
    expect(await redis.client.hkeys(KEYS.meta)).toEqual(['paused']);
    let whileItRan: string[] = [];
    const onProgress = async (): Promise<void> => {
      whileItRan = await redis.client.hkeys(KEYS.meta);
    };
    await queue.obliterate({ count: 10, onProgress });
    expect(whileItRan).toEqual(['paused', 'until']);
    expect(await queue.isPaused()).toBe(false);
    expect(await redis.client.exists(KEYS.meta)).toBe(0);
  });

  test('a pause that the user makes of one that is over wakes the workers', async () => {
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    await redis.client.hset(KEYS.meta, 'paused', '1', 'until', '2');
    const paused = next(worker, 'paused');
    await redis.queue().pause();
    await paused;
    expect(await redis.client.hget(KEYS.meta, 'paused')).not.toBe('1');
    expect(await redis.client.hkeys(KEYS.meta)).toEqual(['paused']);
  });

  test('loses nothing that is added while it runs', async () => {
    await fill('mail', 1_000);
    const queue = redis.queue();
    const added: string[] = [];
    let isOver = false;
    let from = Infinity;
    const adding = (async () => {
      for (let i = 0; !isOver; i++) {
        const options = { ...(i % 2 === 0 && { jobId: `n${i}` }), ...(i % 3 === 0 && { delay: 1 }) };
        added.push((await queue.add('new', i, options)).id);
      }
    })();
    // The jobs of the first step are deleted once this is called.
    const onProgress = (): void => {
      if (from === Infinity) from = added.length + 1;
    };
    await queue.obliterate({ count: 20, onProgress });
    isOver = true;
    await adding;
    const expected = added.slice(from);
    expect(expected.length).toBeGreaterThan(10);
    const done = new Set<string>();
    const worker = redis.worker(() => undefined, { concurrency: 16 });
    worker.on('completed', ({ id }) => done.add(id));
    await eventually(() => {
      expect(expected.filter((id) => !done.has(id))).toEqual([]);
    });
  });

  test('is aborted between two steps, and a second call deletes the rest', async () => {
    await fill('mail', 400);
    const abort = new AbortController();
    const queue = redis.queue();
    const onProgress = (): void => {
      abort.abort();
    };
    const error = await rejection(queue.obliterate({ count: 10, signal: abort.signal, onProgress }));
    expect(error).toBe(abort.signal.reason);
    expect(await redis.client.exists(KEYS.stream, KEYS.delayed, KEYS.meta)).toBe(0);
    expect((await left()).length).toBeGreaterThan(50);
    expect((await queue.add('a', 1, { jobId: 'j0' })).duplicate).toBe(false);
    await queue.obliterate();
    expect(await left()).toEqual([]);
    const aborted = AbortSignal.abort();
    await fill('mail', 4);
    const before = await redis.snapshot();
    expect(await rejection(queue.obliterate({ signal: aborted }))).toBe(aborted.reason);
    expect(await redis.snapshot()).toEqual(before);
  });

  test.each([[{ forced: true }], [{ force: 1 }], [{ count: 0 }], ['all']])('refuses %j', async (options) => {
    expect(await rejection(redis.queue().obliterate(options as never))).toMatchObject({ code: 'CMQ-004' });
  });
});

describe('close', () => {
  test('with force does not wait for calls in flight', async () => {
    const queue = redis.queue();
    await queue.add('a', 1);
    await redis.client.client('PAUSE', 3_000, 'ALL');
    const begun = performance.now();
    const adding = rejection(queue.add('a', 2));
    const closing = queue.close();
    await queue.close(true);
    await closing;
    expect(performance.now() - begun).toBeLessThan(2_500);
    expect(queue.isClosed).toBe(true);
    expect(await adding).toMatchObject({ code: 'CMQ-005' });
    expect(await rejection(queue.add('a', 3))).toMatchObject({ code: 'CMQ-005' });
    await redis.client.client('UNPAUSE');
  });
});
