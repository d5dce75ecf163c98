import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Queue, Worker, type Job } from '../../lib/engine/index.js';
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
