import { describe, expect, test } from 'vitest';
import { readExtras } from '../../../lib/engine/codec/extras.js';
import { encodePayload } from '../../../lib/engine/codec/payload.js';
import { locateJob } from '../../../lib/engine/codec/read-envelope.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import type { JobsOptions } from '../../../lib/engine/index.js';
import { KEYS, fields, next, take, useKit } from './kit.js';

const kit = useKit();

/** What stands behind the Job of each entry of a stream. */
async function behindJobs(stream: string): Promise<Buffer[]> {
  const entries = await kit.client.xrangeBuffer(stream, '-', '+');
  return entries.map(([, values]) => {
    const d = values[values.findIndex((value) => value.toString() === 'd') + 1]!;
    return d.subarray(locateJob(d).jobTo);
  });
}

describe('the extras of a job', () => {
  test.each<[string, JobsOptions | undefined]>([
    ['no options', undefined],
    ['empty options', {}],
    ['options that do not travel', { attempts: 2, delay: 0, jobId: 'x', timestamp: 1 }],
    ['user data under the names of extras', undefined],
  ])('do not exist with %s', async (_, options) => {
    await kit.queue().add('a', { timeoutMs: 1, extras: { ttlMs: 1 } }, options);
    expect((await behindJobs(KEYS.stream)).map(({ length }) => length)).toEqual([0]);
  });

  test('hold the options that travel, from the job and from the defaults of the queue', async () => {
    const queue = kit.queue({ defaultJobOptions: { timeoutMs: 5_000, expired: 'drop' } });
    await queue.add('a', 1, { ttlMs: 70 });
    await queue.addBulk([{ name: 'b', data: 1, opts: { timeoutMs: Infinity } }]);
    expect((await behindJobs(KEYS.stream)).map((bytes) => readExtras(bytes))).toEqual([
      { timeoutMs: 5_000, ttlMs: 70, expired: 'drop' },
      { timeoutMs: Infinity, expired: 'drop' },
    ]);
  });

  test('count as part of the payload', async () => {
    const queue = kit.queue({ maxPayloadBytes: 20 });
    await queue.add('a', 'x'.repeat(19));
    await expect(queue.add('a', 'x'.repeat(19), { ttlMs: 1 })).rejects.toMatchObject({ code: 'CMQ-023' });
    const repeat = { every: 60_000 };
    await expect(queue.add('a', 'x'.repeat(19), { ttlMs: 1, repeat })).rejects.toMatchObject({
      code: 'CMQ-023',
    });
    expect(await kit.client.xlen(KEYS.stream)).toBe(1);
  });

  test.each<[keyof JobsOptions, unknown]>([
    ['timeoutMs', 0],
    ['timeoutMs', -1],
    ['timeoutMs', NaN],
    ['timeoutMs', 1.5],
    ['timeoutMs', '5'],
    ['ttlMs', 0],
    ['ttlMs', -Infinity],
    ['ttlMs', null],
    ['expired', 'explode'],
  ])('are refused where %s is %s', async (option, value) => {
    const queue = kit.queue();
    const wrong = { [option]: value } as JobsOptions;
    await expect(queue.add('a', 1, wrong)).rejects.toThrow(`job options: option "${option}" must be`);
    await expect(queue.add('a', 1, { ...wrong, repeat: { every: 1_000 } })).rejects.toThrow(option);
    expect(() => kit.queue({ defaultJobOptions: wrong })).toThrow(`defaultJobOptions: option "${option}"`);
    expect(await kit.keys()).toEqual([]);
  });

  test('of a schedule reach the jobs that it adds', async () => {
    const seen: unknown[] = [];
    const worker = kit.worker((job) => seen.push(job.opts), { runScheduler: true });
    const queue = kit.queue();
    const completed = take(worker, 'completed', 3);
    const opts = { timeoutMs: 60_000, ttlMs: 2 ** 33, expired: 'drop', attempts: 4 } as const;
    await queue.add('with', 1, { ...opts, repeat: { every: 20, limit: 2 } });
    await queue.add('without', 1, { repeat: { every: 20, limit: 1 } });
    await completed;
    expect(seen).toHaveLength(3);
    expect(seen).toEqual(expect.arrayContaining([opts, opts, {}]));
  });

  test('of other versions, and bytes that are no extras, do not keep a job from running', async () => {
    const plain = (id: string): Buffer =>
      encodeEnvelope({ id, payload: encodePayload(1), createdAtMs: 1, attempt: 0 });
    const hostile = [
      encodePayload({ timeoutMs: 'soon', ttlMs: -1, expired: 7, keep: 'all', rpc: null }),
      encodePayload([1, 2]),
      Buffer.from('82a574', 'hex'),
      Buffer.from('00', 'hex'),
      Buffer.from('dfffffffff', 'hex'),
      encodePayload({ later: 'x' }),
    ];
    for (const [i, bytes] of hostile.entries()) {
      await kit.client.xadd(KEYS.stream, '*', 'd', Buffer.concat([plain(`j${String(i)}`), bytes]), 'n', 'a');
    }
    const seen: string[] = [];
    const worker = kit.worker((job) => {
      seen.push(`${job.id} ${JSON.stringify(job.opts)}`);
    });
    await take(worker, 'completed', hostile.length);
    expect(seen.sort()).toEqual(hostile.map((_, i) => `j${String(i)} {}`));
  });

  test('survive a retry, a dead letter and a replay as they are', async () => {
    const extras = encodePayload({ later: [1, 2, { x: 'y' }], timeoutMs: 60_000, ttlMs: 'no' });
    const job = encodeEnvelope({ id: 'j', payload: encodePayload(1), createdAtMs: 1, attempt: 0, extras });
    const worker = kit.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 2 },
    );
    const dead = next(worker, 'deadLettered');
    await kit.client.xadd(KEYS.stream, '*', 'd', job, 'n', 'a');
    await dead;
    expect(await behindJobs(KEYS.dlq)).toEqual([extras]);
    await worker.close();
    await kit.queue().replayDlq(10);
    expect(await behindJobs(KEYS.stream)).toEqual([extras]);
    const [, values] = (await kit.client.xrange(KEYS.stream, '-', '+'))[0]!;
    expect(fields(values).n).toBe('a');
  });
});
