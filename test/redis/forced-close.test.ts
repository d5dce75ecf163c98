import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { Queue, ShutdownError, Worker, type Job } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** A worker that is closed by force while it runs a job; resolves when another has run it. */
async function handOver(name: string): Promise<void> {
  const { connection } = redis;
  await using queue = new Queue(name, { connection });
  const untilAborted = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
    if (!signal.aborted) await once(signal, 'abort');
  };
  const first = new Worker(name, untilAborted, { connection });
  const active = once(first, 'active');
  const { id } = await queue.add('job', {});
  await active;
  await first.close(true);
  await using second = new Worker(name, () => 'done', { connection });
  const [job] = (await once(second, 'completed')) as [Job];
  expect(job).toMatchObject({ id, attemptsMade: 1 });
}

// What a closing worker gives back must not be delivered to its own last read, which Redis may carry out after it.
it(
  'what a worker gives back when it is closed by force, another runs at once',
  { timeout: 20_000 },
  async () => {
    for (const round of ['a', 'b', 'c']) {
      await Promise.all(Array.from({ length: 40 }, (_, index) => handOver(`${round}${String(index)}`)));
    }
  },
);

it('a forced close ends a graceful one that waits for handlers', async () => {
  const { connection } = redis;
  await using queue = new Queue('mail', { connection });
  let reason: unknown;
  const worker = new Worker(
    'mail',
    async ({ signal }) => {
      await once(signal, 'abort');
      reason = signal.reason;
    },
    { connection },
  );
  const active = once(worker, 'active');
  const { id } = await queue.add('job', {});
  await active;
  const graceful = worker.close();
  await delay(100);
  expect(reason).toBeUndefined();
  const begun = performance.now();
  const forced = worker.close(true);
  await Promise.all([graceful, forced]);
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(reason).toBeInstanceOf(ShutdownError);
  await using other = new Worker('mail', () => 'done', { connection });
  const [job] = (await once(other, 'completed')) as [Job];
  expect(job).toMatchObject({ id, attemptsMade: 1 });
});

it('a close does not wait for commits if the given client was closed before, and reports it once', async () => {
  const { connection } = redis;
  await using queue = new Queue('mail', { connection });
  const client = new Redis(connection);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const worker = new Worker('mail', () => released, { connection: client });
  const errors: Error[] = [];
  worker.on('error', (error) => errors.push(error));
  const active = once(worker, 'active');
  await queue.add('job', {});
  await active;
  const ended = once(client, 'end');
  client.disconnect();
  await ended;
  const begun = performance.now();
  const closed = worker.close();
  await delay(100);
  release();
  await closed;
  expect(performance.now() - begun).toBeLessThan(8_000);
  const reported = errors.filter((error) => error instanceof ShutdownError);
  expect(reported.map(({ message }) => message)).toEqual([
    expect.stringMatching(
      /^The worker of queue "mail" closes, and the outcomes of 1 job\(s\) that have ended are not stored/,
    ),
  ]);
});

it('a listener of "closing" may close the worker, also by force', async () => {
  const { connection } = redis;
  const worker = new Worker('mail', () => undefined, { connection });
  await once(worker, 'ready');
  const closing: string[] = [];
  worker.on('closing', (message) => {
    closing.push(message);
    void worker.close(true);
  });
  await worker.close();
  expect(closing).toEqual(['waiting for running jobs']);
});
