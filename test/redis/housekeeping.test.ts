import { describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { queueKeys } from '../../lib/redis/keys.js';
import { announce } from '../../lib/redis/scripts/announce.js';
import { removeConsumers } from '../../lib/redis/scripts/remove-consumers.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';
import { Latch } from './contract/kit.js';
import { runnerOn } from '../support/script-runner.js';

const redis = useRedis();
const keys = queueKeys('housekeeping');

/** What a worker announces of jobs that outlive a tick. */
function announceJobs(count: number, eventsCap: number): Promise<void> {
  const jobs = Array.from({ length: count }, (_, i) => ({ jobId: `job-${i}`, name: '', attempt: 1 }));
  return announce(runnerOn(redis.client), keys, { jobs, starts: [], eventsCap, eventsBatchFrom: 16 });
}

describe('events of running jobs', () => {
  it('are trimmed like all others, once their batches have parts', async () => {
    for (let call = 0; call < 300; call += 1) await announceJobs(20, 100);
    // About a hundred jobs, in batches of twenty; whole nodes of the stream are dropped.
    expect(await redis.client.xlen(keys.events)).toBeLessThan(210);
  });

  it('that cannot be written are reported', async () => {
    await using proxy = await TcpProxy.start(redis.connection);
    const running = new Latch();
    const reported = new Latch();
    const worker = new Worker(
      keys.queue,
      async () => {
        running.open();
        await reported.opened;
      },
      {
        connection: { host: proxy.host, port: proxy.port },
        ackIdleMs: 200,
        commandTimeoutMs: 200,
        shutdownDeadlineSecs: 1,
      },
    );
    const errors: string[] = [];
    worker.on('error', ({ message }) => errors.push(message));
    await worker.waitUntilReady();
    await using queue = new Queue(keys.queue, { connection: redis.connection });
    await queue.add('a', 1);
    await running.opened;
    proxy.blackholeReplies(true);
    await waitUntil('The report', 5_000, async () =>
      errors.some((message) => message.includes('did not answer announce')) ? undefined : errors.join(),
    );
    proxy.blackholeReplies(false);
    reported.open();
    await worker.close();
  });
});

describe('consumers of workers that are gone', () => {
  const consumers = async (stream: string): Promise<string[]> =>
    ((await redis.client.xinfo('CONSUMERS', stream, 'default')) as unknown[][]).map((info) =>
      String(info[1]),
    );

  it('are removed, also where they had a wake entry pending: another is woken instead', async () => {
    for (const stream of [keys.stream, keys.promoterWake, keys.schedulerWake]) {
      await redis.client.xgroup('CREATE', stream, 'default', '0', 'MKSTREAM');
      await redis.client.xadd(stream, '*', 'due', '1', 'd', 'x');
      await redis.client.call('XREADGROUP', 'GROUP', 'default', 'dead', 'STREAMS', stream, '>');
      await redis.client.xgroup('CREATECONSUMER', stream, 'default', 'idle');
    }
    const remove = (consumerId: string | undefined, idleMs: number): Promise<number> =>
      removeConsumers(runnerOn(redis.client), keys, { group: 'default', consumerId, idleMs });

    // Not before their time.
    await remove(undefined, 60_000);
    expect(await consumers(keys.promoterWake)).toEqual(['dead', 'idle']);
    await remove('dead', 60_000);
    expect(await consumers(keys.promoterWake)).toEqual(['idle']);
    expect(await consumers(keys.schedulerWake)).toEqual(['idle']);
    // What is pending for it in the work stream is a job.
    expect(await consumers(keys.stream)).toEqual(['dead', 'idle']);
    const woken = await redis.client.call(
      'XREADGROUP',
      'GROUP',
      'default',
      'x',
      'STREAMS',
      keys.promoterWake,
      '>',
    );
    expect(JSON.stringify(woken)).toContain('["due","0"]');

    await remove(undefined, 0);
    for (const stream of [keys.promoterWake, keys.schedulerWake]) expect(await consumers(stream)).toEqual([]);
    expect(await consumers(keys.stream)).toEqual(['dead']);
  });
});
