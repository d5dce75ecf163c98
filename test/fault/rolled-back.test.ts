import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { useRedis } from '../support/redis.js';

/*
 * A failover may bring a group back as it was before its last deliveries: their entries are there, pending for nobody.
 * What the worker has in flight is not what Redis holds then, and what it does with these jobs must lose none of them.
 */

const redis = useRedis();
const JOBS = 20;
/** Runs on when all others have ended. */
const LATE = 14;

let queue: Queue<number>;
let worker: Worker<number>;
/** Data of the jobs whose handlers were called. */
let starts: number[];
let ends: string[];
let errors: string[];
let release: () => void;
let releaseLate: () => void;

beforeEach(async () => {
  queue = new Queue<number>('rolled-back', { connection: redis.connection });
  [starts, ends, errors] = [[], [], []];
  const all = new Promise<void>((resolve) => (release = resolve));
  const late = new Promise<void>((resolve) => (releaseLate = resolve));
  worker = new Worker<number>(
    'rolled-back',
    async (job) => {
      starts.push(job.data);
      await (job.data === LATE ? late : all);
      if (job.name === 'fails' && job.attemptsMade === 1) throw new Error('x');
    },
    { connection: redis.connection, concurrency: JOBS, claimMinIdleMs: 30_000, blockMs: 300 },
  );
  worker.on('completed', ({ data }) => ends.push(`completed ${data}`));
  worker.on('failed', ({ data, attemptsMade }) => ends.push(`failed ${data}.${attemptsMade}`));
  worker.on('error', (error) => errors.push(error.name));
  await once(worker, 'ready');
});

afterEach(async () => {
  release();
  releaseLate();
  await Promise.all([worker.close(), queue.close()]);
});

const until = (what: string, is: () => boolean | Promise<boolean>): Promise<void> =>
  waitUntil(what, 8_000, async () => ((await is()) ? undefined : JSON.stringify({ starts, ends, errors })));

async function start(name: string): Promise<string[]> {
  for (const from of [0, JOBS / 2]) {
    await queue.addBulk(
      Array.from({ length: JOBS / 2 }, (_, i) => ({
        name,
        data: from + i,
        opts: { attempts: 2, backoff: 10 },
      })),
    );
    await until('The jobs', () => starts.length === from + JOBS / 2);
  }
  return (await redis.client.xrange(queue.keys.stream, '-', '+')).map(([id]) => id);
}

/** The second read has never been. In one step: the worker may read at any time. */
async function rollBack(ids: readonly string[]): Promise<void> {
  const { stream } = queue.keys;
  await redis.client
    .multi()
    .xack(stream, 'default', ...ids.slice(JOBS / 2))
    .xgroup('SETID', stream, 'default', ids[JOBS / 2 - 1]!)
    .exec();
}

/** The group is gone, and nothing is pending for anybody. */
const destroy = async (): Promise<void> => {
  await redis.client
    .multi()
    .xgroup('DESTROY', queue.keys.stream, 'default')
    .xgroup('CREATE', queue.keys.stream, 'default', '0')
    .exec();
};

describe.each([
  ['the group is set back to before the second read', rollBack],
  ['the group is made anew', destroy],
])('%s', (_, takeBack) => {
  it('one job runs on when all others end: it is not removed with them', async () => {
    const ids = await start('succeeds');
    await takeBack(ids);
    release();
    await until('The others', () => new Set(ends).size === JOBS - 1);
    expect(await redis.client.exists(queue.keys.stream)).toBe(1);
    const left = (await redis.client.xrange(queue.keys.stream, '-', '+')).map(([id]) => id);
    expect(left).toEqual([ids[LATE]]);
    releaseLate();
    await until('The last', async () => (await redis.client.xlen(queue.keys.stream)) === 0);
    await until('Its end', () => ends.includes(`completed ${LATE}`));
    expect(ends.filter((end) => end === `completed ${LATE}`)).toHaveLength(1);
  });

  it('one job fails when all others have ended: it is tried again, and completes', async () => {
    const ids = await start('fails');
    await takeBack(ids);
    release();
    const completed = (): Set<string> => new Set(ends.filter((end) => end.startsWith('completed')));
    await until('The others', () => completed().size === JOBS - 1);
    releaseLate();
    await until('The last', () => completed().size === JOBS);
    await until('The end', async () => (await redis.client.xlen(queue.keys.stream)) === 0);
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(0);
    expect(ends.filter((end) => end.startsWith('completed'))).toHaveLength(JOBS);
  });
});
