import { expect, vi } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import type { Job, QueueOptions, WorkerOptions } from '../../lib/engine/index.js';
import { queueKeys } from '../../lib/redis/keys.js';
import type { TestRedis } from '../support/redis.js';

export const KEYS = queueKeys('sums');

/** A queue with a connection of its own. */
export function openQueue(redis: TestRedis, options: Partial<QueueOptions> = {}): Queue {
  return new Queue('sums', { connection: { ...redis.connection }, ...options });
}

/** A worker that stores results, with a connection of its own. */
export function openWorker(
  redis: TestRedis,
  handler: (job: Job) => unknown,
  options: Partial<WorkerOptions> = {},
): Worker {
  return new Worker('sums', handler, { connection: { ...redis.connection }, storeResults: true, ...options });
}

/** Resolves when Redis knows that a result waiter exists. From then on, scripts that end jobs write to the stream `ended`. */
export async function untilWaiting({ client }: TestRedis): Promise<void> {
  await vi.waitFor(async () => {
    expect(await client.exists(KEYS.waiters)).toBe(1);
  });
}
