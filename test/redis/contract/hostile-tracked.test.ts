import { describe, expect, test } from 'vitest';
import { locateJob } from '../../../lib/engine/codec/read-envelope.js';
import { KEYS, useKit } from './kit.js';

/* Another program has written tracked jobs as no producer of this package would. They end, and so do the jobs beside them. */

const redis = useKit();

function bytesWith(d: Buffer, part: 'id' | 'attempt'): Buffer {
  if (part === 'id') {
    // A string with a length of four bytes.
    const length = Buffer.from([0xdb, 0, 1, 0x11, 0x70]);
    return Buffer.concat([d.subarray(0, 1), length, Buffer.alloc(70_000, 'i'), d.subarray(28)]);
  }
  const { attemptFrom, attemptTo } = locateJob(d);
  const attempt = Buffer.from([0xcf, 0, 0, 1, 0, 0, 0, 0, 0]);
  return Buffer.concat([d.subarray(0, attemptFrom), attempt, d.subarray(attemptTo)]);
}

describe.each(['completed', 'deadLettered'] as const)('a tracked job that ends as %s', (outcome) => {
  test.each(['name', 'id', 'attempt'] as const)('with an odd %s', async (part) => {
    const queue = redis.queue({ trackJobs: true });
    await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    const [[, fields]] = (await redis.client.xrangeBuffer(KEYS.stream, '-', '+')) as [[Buffer, Buffer[]]];
    const d = fields[fields.findIndex((field) => field.toString() === 'd') + 1]!;
    const odd = part === 'name' ? d : bytesWith(d, part);
    const name = part === 'name' ? 'n'.repeat(70_000) : 'a';
    await redis.client.xadd(KEYS.stream, '*', 'd', odd, 'n', name, 'u', '0');
    const worker = redis.worker(
      () => {
        if (outcome === 'deadLettered') throw new Error('x');
      },
      { maxAttempts: 1, concurrency: 3, autorun: false },
    );
    worker.on('failed', () => undefined);
    let ended = 0;
    for (const event of ['completed', 'deadLettered'] as const) worker.on(event, () => void (ended += 1));
    void worker.run();
    await expect.poll(() => ended, { timeout: 5_000 }).toBe(3);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
});
