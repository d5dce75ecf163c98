import { describe, expect, test } from 'vitest';
import {
  DelayedError,
  ERROR_CODES,
  Queue,
  UnrecoverableError,
  decodePayload,
  encodePayload,
} from '../../../lib/engine/index.js';
import { Servers } from '../../../lib/engine/admin/servers.js';
import { toDelivery } from '../../../lib/engine/worker/lease/delivery.js';
import { Refusals } from '../../../lib/engine/worker/run/refusals.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import { engine as compiled, fixture, startWorker } from '../../threads/support/worker.js';
import { KEYS, Latch, NAME, next, rejection, useKit } from './kit.js';

const redis = useKit();

/** What an error must carry, and what a dead letter must say. */
type Happening = { code: string } | { reason: string } | { event: string };

async function deadLetter(entry: Buffer | undefined): Promise<{ reason: string }> {
  const events = await redis.events();
  const dead = next(events, 'dlq');
  redis.worker(() => undefined, { maxPayloadBytes: 100 });
  await redis.client.xadd(KEYS.stream, '*', ...(entry ? ['d', entry] : ['x', '1']));
  return { reason: (await dead)[0].reason };
}

async function failing(error: Error, attempts: number): Promise<{ reason: string }> {
  const events = await redis.events();
  const dead = next(events, 'dlq');
  redis.worker(() => {
    throw error;
  });
  await redis.queue().add('a', 1, { attempts });
  return { reason: (await dead)[0].reason };
}

const codeOf = async (call: Promise<unknown>): Promise<{ code: string }> => ({
  code: (await rejection(call)).code ?? 'none',
});

/** Makes each code happen; those that nothing throws are missing. */
const HOW: Record<string, () => Promise<Happening>> = {
  [ERROR_CODES.connection]: async () => {
    await using queue = new Queue(NAME, { connection: { host: '127.0.0.1', port: 1 }, connectTimeoutMs: 50 });
    return await codeOf(queue.add('a', 1));
  },
  [ERROR_CODES.threadExit]: async () => {
    const { worker, queue, run } = await startWorker(redis.connection);
    const { error } = await run('exit', { code: 1 });
    await Promise.all([worker.close(true), queue.close()]);
    return { code: error?.code as string };
  },
  [ERROR_CODES.threadBoot]: async () => {
    const options = { connection: redis.connection, autorun: false };
    const worker = new compiled.Worker('threads', fixture('broken.mjs'), options);
    const told = await codeOf(worker.run());
    await worker.close();
    return told;
  },
  [ERROR_CODES.encode]: () => codeOf(redis.queue().add('a', () => 1)),
  [ERROR_CODES.decode]: async () => codeOf((async () => decodePayload(Buffer.from([0xc1])))()),
  [ERROR_CODES.config]: () => codeOf(redis.queue().add('a', 1, { attempts: 0 })),
  [ERROR_CODES.shutdown]: async () => {
    const queue = redis.queue();
    await queue.close();
    return codeOf(queue.add('a', 1));
  },
  [ERROR_CODES.groupFull]: async () => {
    const queue = redis.queue();
    const opts = { group: { id: 'one', maxSize: 1 } };
    await queue.add('a', 1, opts);
    return codeOf(queue.add('a', 1, opts));
  },
  [ERROR_CODES.queueFull]: async () => {
    const queue = redis.queue({ maxStreamLen: 1 });
    await queue.add('a', 1);
    return codeOf(queue.add('a', 1));
  },
  [ERROR_CODES.leaseLost]: async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { claimMinIdleMs: 60 });
    const active = next(worker, 'active');
    await redis.queue().add('a', 1);
    await active;
    const lost = next(worker, 'error');
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await redis.client.xclaim(KEYS.stream, 'default', 'thief', 0, entry);
    const [error] = await lost;
    latch.open();
    redis.errors.length = 0;
    return { code: (error as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.cursor]: () => codeOf(redis.queue().getDlq({ after: 'page 2' })),
  [ERROR_CODES.durability]: () =>
    codeOf(redis.queue({ durability: { replicas: 1, timeoutMs: 10 } }).add('a', 1)),
  [ERROR_CODES.lostEntry]: async () => {
    await redis.queue().add('a', 1);
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'STREAMS', KEYS.stream, '>');
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await redis.client.xdel(KEYS.stream, entry);
    const [error] = await next(
      redis.worker(() => undefined, { claimMinIdleMs: 30 }),
      'error',
    );
    redis.errors.length = 0;
    return { code: (error as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.handler]: async () => {
    const events = await redis.events();
    const scheduled = next(events, 'retry-scheduled');
    redis.worker((job) => {
      if (job.attemptsMade === 1) throw new Error('x');
    });
    await redis.queue().add('a', 1);
    await scheduled;
    return { event: 'retry-scheduled' };
  },
  [ERROR_CODES.unrecoverable]: async () => {
    const worker = redis.worker(() => {
      throw new UnrecoverableError('no');
    });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    return { code: ((await failed)[1] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.cancelled]: async () => {
    const worker = redis.worker(async ({ signal }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      throw signal.reason;
    });
    const active = next(worker, 'active');
    const queue = redis.queue();
    const { id } = await queue.add('a', 1);
    await active;
    const failed = next(worker, 'failed');
    await queue.cancel(id);
    return { code: ((await failed)[1] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.jobTimeout]: async () => {
    const worker = redis.worker(() => new Promise(() => undefined));
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1, { timeoutMs: 10 });
    return { code: ((await failed)[1] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.delayed]: async () => {
    const worker = redis.worker(() => {
      throw new DelayedError();
    });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    return { code: ((await failed)[1] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.batchResult]: async () => {
    const worker = redis.worker(() => 'no array', { batches: { size: 2 } });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    return { code: ((await failed)[1] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.retriesExhausted]: () => failing(new Error('x'), 1),
  [ERROR_CODES.decodeFailed]: () => deadLetter(Buffer.from('garbage')),
  [ERROR_CODES.malformed]: () => deadLetter(undefined),
  [ERROR_CODES.oversizePayload]: async () => {
    const payload = encodePayload('x'.repeat(200));
    const job = encodeEnvelope({ id: 'x', payload, createdAtMs: 0, attempt: 0 });
    expect(await deadLetter(job)).toEqual({ reason: 'oversize_payload' });
    return codeOf(redis.queue({ maxPayloadBytes: 10 }).add('a', 'x'.repeat(20)));
  },
  [ERROR_CODES.unrecoverableLetter]: () => failing(new UnrecoverableError('no'), 5),
  [ERROR_CODES.expired]: async () => {
    await redis.queue().add('a', 1, { ttlMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const events = await redis.events();
    const dead = next(events, 'dlq');
    redis.worker(() => undefined);
    return { reason: (await dead)[0].reason };
  },
  [ERROR_CODES.notSupported]: async () => codeOf((async () => (await redis.queue().add('a', 1)).signal)()),
  [ERROR_CODES.resultTimeout]: async () =>
    codeOf((await redis.queue().add('a', 1)).waitForResult({ timeoutMs: 10 })),
  [ERROR_CODES.jobFailed]: async () => {
    const latch = new Latch();
    const worker = redis.worker(() =>
      latch.opened.then(() => {
        throw new UnrecoverableError('no');
      }),
    );
    const active = next(worker, 'active');
    const job = await redis.queue().add('a', 1);
    await active;
    const waiting = codeOf(job.waitForResult());
    await expect
      .poll(async () => ((await redis.client.client('LIST')) as string).includes(' cmd=xread '))
      .toBe(true);
    latch.open();
    return waiting;
  },
  [ERROR_CODES.unaccepted]: async () => {
    // A worker reports it once a job waits for the longest time, which is half a minute after its first refusal.
    const reported: Error[] = [];
    const refusals = new Refusals({ monotonic: () => 0 }, (error) => reported.push(error));
    const fields = [Buffer.from('d'), Buffer.alloc(0), Buffer.from('n'), Buffer.from('digest')];
    const job = toDelivery([Buffer.from('1-1'), fields], 0);
    while (reported.length === 0) expect(refusals.delayOf(job)).toBeLessThanOrEqual(30_000);
    return { code: (reported[0] as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.dataLost]: async () => {
    await redis.queue().add('a', 1, { repeat: { every: 3_600_000 } });
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await redis.client.flushall();
    return { code: ((await warned) as { code?: string }).code ?? 'none' };
  },
  [ERROR_CODES.jobNotFound]: async () => {
    const job = await redis.queue().add('a', 1);
    await job.remove();
    return codeOf(job.remove());
  },
  [ERROR_CODES.scheduleNotFound]: () => codeOf(redis.queue().pauseJobScheduler('none')),
  [ERROR_CODES.jobState]: async () => {
    const latch = new Latch();
    const active = next(
      redis.worker(() => latch.opened),
      'active',
    );
    const job = await redis.queue().add('a', 1);
    await active;
    const removing = await codeOf(job.remove());
    latch.open();
    return removing;
  },
  [ERROR_CODES.queueNotFound]: async () => {
    const servers = new Servers(redis.connection);
    try {
      return await codeOf(servers.requireQueue('nobody'));
    } finally {
      servers.close();
    }
  },
  [ERROR_CODES.jobGone]: async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1);
    const waiting = codeOf(job.waitForResult());
    await queue.remove(job.id);
    return waiting;
  },
};

/** What stands for a code that no error bears. */
const TOLD: Record<string, Happening> = {
  [ERROR_CODES.handler]: { event: 'retry-scheduled' },
  [ERROR_CODES.retriesExhausted]: { reason: 'retries_exhausted' },
  [ERROR_CODES.decodeFailed]: { reason: 'decode_failed' },
  [ERROR_CODES.malformed]: { reason: 'malformed' },
  [ERROR_CODES.unrecoverableLetter]: { reason: 'unrecoverable' },
  [ERROR_CODES.expired]: { reason: 'expired' },
};

/** See docs/error-codes.md. */
const RESERVED: string[] = [ERROR_CODES.rateLimit, ERROR_CODES.jobsActive];

describe('every code', () => {
  test.each(Object.values(ERROR_CODES).filter((code) => !RESERVED.includes(code)))(
    '%s happens',
    async (code) => {
      const make = HOW[code];
      expect(make, `nobody knows how to make ${code} happen`).toBeDefined();
      expect(await make!()).toEqual(TOLD[code] ?? { code });
    },
  );
});
