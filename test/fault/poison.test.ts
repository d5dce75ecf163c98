import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import type { Child } from '../support/fault/child.js';
import type { Task } from '../support/fault/handlers.mjs';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const LEASE_MS = 600;

let rig: Rig;
let stopping = false;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
  stopping = false;
});

afterEach(() => {
  stopping = true;
  return rig.close();
});

/** As a process manager does: whenever the worker's process ends, starts the next. */
async function supervise(nodeArgs: readonly string[]): Promise<void> {
  for (let count = 1; !stopping; count += 1) {
    let child: Child;
    try {
      child = await rig.spawn(
        `worker-${count}`,
        { claimMinIdleMs: LEASE_MS, concurrency: 20, blockMs: 500 },
        nodeArgs,
      );
    } catch {
      // It died before it could say that it reads.
      continue;
    }
    await child.exited;
  }
}

async function poisonAmong19(task: Task, nodeArgs: readonly string[] = []): Promise<void> {
  const producer = rig.producer();
  const options = { attempts: 3 };
  for (let i = 1; i <= 20; i += 1) {
    if (i === 7) await producer.add(task, { ...options, jobId: 'poison' });
    else await producer.add({ do: 'sleep', ms: 100 }, { ...options, jobId: `good-${i}` });
  }
  void supervise(nodeArgs);
  await waitUntil('The verdict on the poison', 30_000, async () =>
    (await redis.client.xlen(rig.keys.dlq)) === 1 ? undefined : 'no dead letter',
  );
  await rig.drained(redis.client, 10_000);

  const [letter] = await producer.queue.peekDlq();
  expect(letter).toMatchObject({ jobId: 'poison', reason: 'retries_exhausted', attempts: 3, data: task });
  expect(letter?.detail).toMatch(
    /worker died 3 times while it had this job .*, at least 2 times while running it/,
  );
  expect(
    rig
      .of('START')
      .filter(({ id }) => id === 'poison')
      .map(({ attempt }) => attempt),
  ).toEqual([1, 2, 3]);
  // The last word of a worker that dies may be a completion: it is committed, though nobody was left to say so.
  const findings = await rig.check(redis.client);
  expect(findings.committed).toBe(19);
  expect(violations(findings)).toEqual([]);
}

describe('a job that keeps killing its worker, beside 19 good ones', () => {
  it('that ends the process is dead-lettered, and the others complete', () => poisonAmong19({ do: 'exit' }));

  it(
    'that exhausts the heap is dead-lettered, and the others complete',
    () => poisonAmong19({ do: 'exhaust-heap' }, ['--max-old-space-size=24']),
    40_000,
  );
});
