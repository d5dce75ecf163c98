import { describe, expect, test } from 'vitest';
import { KEYS, eventually, next, rejection, take, useKit } from './kit.js';

/* Somebody has written keys of the wrong type, or very many or large ones. Nothing is half-done, and no step is long. */

const redis = useKit();
const HOUR = 3_600_000;
const key = (name: string): string => `${KEYS.prefix}${name}`;

/** For how many ms of its own time Redis has worked, and how many scripts it has run. Other processes do not change these. */
async function work(): Promise<{ ms: number; scripts: number }> {
  const info = `${await redis.client.info('cpu')}${await redis.client.info('commandstats')}`;
  const sum = (pattern: RegExp): number => {
    let total = 0;
    for (const [, number] of info.matchAll(pattern)) total += Number(number);
    return total;
  };
  return {
    ms: sum(/used_cpu_(?:user|sys)_main_thread:([\d.]+)/g) * 1_000,
    scripts: sum(/cmdstat_eval(?:sha)?:calls=(\d+)/g),
  };
}

describe('keys of the wrong type', () => {
  test.each([
    ['promote', 'dlid:one', (job: Changed) => job.promote()],
    ['promote', 'delayed:unique', (job: Changed) => job.promote()],
    ['remove', 'delayed:unique', (job: Changed) => job.remove()],
  ])('%s of a delayed job, %s: it is done, or nothing is', async (_, name, change) => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { jobId: 'one', delay: HOUR });
    await redis.client.del(key(name));
    await redis.client.rpush(key(name), 'odd');
    const outcome = await change(job).then(
      () => 'done',
      () => 'refused',
    );
    const places = [await redis.client.xlen(KEYS.stream), await redis.client.zcard(KEYS.delayed)];
    if (outcome === 'refused') expect(places).toEqual([0, 1]);
    else expect(places).toEqual(change.toString().includes('remove') ? [0, 0] : [1, 0]);
  });

  test.each(['delayed', 'delayed:unique'])('moveToDelayed of a waiting job, %s: it stays', async (name) => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { jobId: 'one' });
    await redis.client.rpush(key(name), 'odd');
    expect((await rejection(job.moveToDelayed(Date.now() + HOUR))).message).toContain('WRONGTYPE');
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test.each(['didx:one', 'dlid:one', 'job:one'])('%s: cancel and remove end the job', async (name) => {
    const queue = redis.queue();
    await queue.add('a', 1, { jobId: 'one' });
    await redis.client.del(key(name));
    await redis.client.rpush(key(name), 'odd');
    expect(await queue.cancel('one')).toBe('removed');
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('drain removes no job if it cannot free its id', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { jobId: 'one', delay: HOUR });
    await redis.client.del(key('delayed:unique'));
    await redis.client.rpush(key('delayed:unique'), 'odd');
    expect((await rejection(queue.drain(true))).message).toContain('WRONGTYPE');
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
  });

  test('obliterate deletes them all', async () => {
    const queue = redis.queue({ eventsEnabled: false });
    await queue.add('a', 1);
    for (const name of ['dlid', 'didx', 'job', 'job-runs', 'job-logs', 'result', 'failed']) {
      await redis.client.zadd(key(`${name}:odd`), 1, 'x');
    }
    await queue.obliterate();
    expect(await redis.keys()).toEqual([]);
  });

  test('of the log and the progress of a job: its handler goes on, and the reports of other jobs are stored once', async () => {
    const queue = redis.queue({ trackJobs: true });
    let ready = 0;
    const worker = redis.worker(
      async (job) => {
        if (job.id === 'odd') {
          for (const name of ['job-logs:odd', 'job-runs:odd']) await redis.client.set(key(name), 'x');
        }
        ready += 1;
        await eventually(() => expect(ready).toBe(3));
        await Promise.all([job.log('row'), job.updateProgress(5)]);
      },
      { concurrency: 3 },
    );
    const done = take(worker, 'completed', 3);
    await queue.addBulk(['one', 'odd', 'two'].map((jobId) => ({ name: 'a', data: 1, opts: { jobId } })));
    await done;
    for (const id of ['one', 'two']) {
      expect((await queue.getJobLogs(id)).logs).toEqual(['row']);
    }
  });

  test('what counts dropped dead letters: the job becomes a dead letter, and its worker is told', async () => {
    await redis.client.rpush(key('dlq:evicted'), 'odd');
    await redis.client.set(key('dlq:tracked'), '1');
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { dlqMaxStreamLen: 1, maxAttempts: 1 },
    );
    const queue = redis.queue();
    for (let i = 0; i < 2; i += 1) {
      const dead = next(worker, 'deadLettered');
      await queue.add('a', i);
      await dead;
    }
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });
});

describe('one step is short', () => {
  test('clean of delayed jobs that are all due at the same time, and too young', async () => {
    const queue = redis.queue();
    const at = Date.now() + HOUR;
    const template = await queue.add('a', 1, { delay: HOUR });
    const member = ((await redis.client.callBuffer('ZRANGE', KEYS.delayed, '0', '0')) as Buffer[])[0]!;
    const where = member.indexOf(template.id);
    await redis.client.del(KEYS.delayed);
    const addUntil = async (count: number): Promise<void> => {
      for (let from = await redis.client.zcard(KEYS.delayed); from < count; from += 5_000) {
        const pairs: (string | Buffer)[] = [];
        for (let i = from; i < from + 5_000; i += 1) {
          const copy = Buffer.from(member);
          copy.write(String(i).padStart(8, '0'), where + template.id.length - 8);
          pairs.push(String(at), copy);
        }
        await redis.client.zadd(KEYS.delayed, ...pairs);
      }
    };
    const msOfStep = async (): Promise<number> => {
      const before = await work();
      expect(await queue.clean(HOUR, 0, 'delayed')).toEqual([]);
      const after = await work();
      return (after.ms - before.ms) / (after.scripts - before.scripts);
    };
    await addUntil(10_000);
    await msOfStep();
    const ofFew = await msOfStep();
    await addUntil(100_000);
    const ofMany = await msOfStep();
    expect(ofMany).toBeLessThan(10);
    expect(ofMany / ofFew).toBeLessThan(2);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(100_000);
  });

  test('retryJobs of completed jobs with large results', async () => {
    const worker = redis.worker(() => 'x'.repeat(900_000));
    const queue = redis.queue({ trackJobs: true });
    const done = take(worker, 'completed', 60);
    await queue.addBulk(Array.from({ length: 60 }, (_, data) => ({ name: 'a', data })));
    await done;
    await worker.close();
    const steps: number[] = [];
    await queue.retryJobs({ state: 'completed', onProgress: ({ done: so }) => steps.push(so) });
    expect(steps.at(-1)).toBe(60);
    expect(steps.length).toBeGreaterThan(20);
  });

  test('the rows of a log are read in replies of about a megabyte', async () => {
    const queue = redis.queue({ trackJobs: true });
    await queue.add('a', 1, { jobId: 'one' });
    const log = key('job-logs:one');
    await redis.client.rpush(log, ...Array.from({ length: 64 }, () => 'short'));
    for (let i = 0; i < 10; i += 1) {
      await redis.client.rpush(log, ...Array.from({ length: 50 }, () => '€'.repeat(32_000)));
    }
    const before = await redis.client.info('stats');
    expect((await queue.getJobLogs('one')).count).toBe(564);
    const replies = Number(/total_net_output_bytes:(\d+)/.exec(await redis.client.info('stats'))?.[1]);
    expect(replies - Number(/total_net_output_bytes:(\d+)/.exec(before)?.[1])).toBeGreaterThan(40_000_000);
    const [, , ...rows] = (await redis.client.eval(
      (await import('../../../lib/redis/scripts.generated.js')).SOURCES['read-logs'].lua,
      1,
      KEYS.prefix,
      'one',
      '0',
      '-1',
    )) as string[];
    expect(rows.reduce((sum, row) => sum + Buffer.byteLength(row), 0)).toBeLessThan(4_000_000);
  });

  test('obliterate removes schedules in steps', async () => {
    const queue = redis.queue();
    for (let i = 0; i < 600; i += 1) {
      await redis.client.zadd(KEYS.repeat, Date.now() + HOUR, `s${i}`);
      await redis.client.hset(key(`repeat:spec:s${i}`), 'name', 'a');
    }
    await queue.obliterate();
    expect(await redis.client.exists(KEYS.repeat)).toBe(0);
  });
});

test('a job whose entry was deleted while it ran leaves nothing of its attempts', async () => {
  const queue = redis.queue({ trackJobs: true });
  const worker = redis.worker(
    async () => {
      await redis.client.xtrim(KEYS.stream, 'MAXLEN', 0);
      throw new Error('x');
    },
    { maxAttempts: 1 },
  );
  worker.on('failed', () => undefined);
  const { id } = await queue.add('a', 1);
  await eventually(async () => {
    const [pending] = (await redis.client.xpending(KEYS.stream, 'default')) as [number];
    expect(pending).toBe(0);
  });
  await eventually(() => expect(redis.errors.map(({ name }) => name)).toEqual(['LeaseLostError']));
  redis.errors.length = 0;
  expect(await redis.client.exists(key(`job-runs:${id}`))).toBe(0);
});

interface Changed {
  promote(): Promise<unknown>;
  remove(): Promise<unknown>;
}
