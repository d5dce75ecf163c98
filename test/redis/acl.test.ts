import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { Queue, QueueEvents, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import type { ObservedQueue, QueueGauges } from '../../lib/engine/base/telemetry.js';
import { scriptCommands } from '../../lib/engine/admin/doctor/permissions.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** The rule that docs/operations.md prints, word by word. */
function documentedRule(): string[] {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, rule = ''] = /```\nACL (SETUSER chasqui [^`]+)```/.exec(page) ?? [];
  return rule.trim().split(/\s+/);
}

it('the smallest user of the documentation can do everything', async () => {
  await redis.client.call('ACL', documentedRule());
  const connection = {
    host: redis.server.host,
    port: redis.server.port,
    username: 'chasqui',
    password: 'secret',
  };
  const errors: Error[] = [];
  await using queue = new Queue<string>('mails', { connection });
  const events = new QueueEvents('mails', { connection });
  await events.waitUntilReady();
  let attempts = 0;
  const worker = new Worker<string, string>(
    'mails',
    async (job) => {
      if (job.data === 'long') {
        const { signal } = job;
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        throw signal.reason;
      }
      if (job.data === 'bad') throw new UnrecoverableError('no such address');
      if (job.data === 'flaky' && ++attempts === 1) throw new Error('try again');
      return job.data;
    },
    { connection, storeResults: true },
  );
  worker.on('error', (error) => errors.push(error));
  const heard = vi.fn();
  events.on('completed', heard);
  const good = await queue.add('send', 'good');
  expect(await good.waitForResult()).toBe('good');
  const flaky = await queue.add('send', 'flaky', { backoff: { type: 'fixed', delay: 1, jitterMs: 0 } });
  expect(await flaky.waitForResult()).toBe('flaky');
  const once = await queue.add('send', 'once', { jobId: 'once', delay: 1 });
  expect(await once.waitForResult()).toBe('once');
  const bad = await queue.add('send', 'bad');
  await expect(bad.waitForResult()).rejects.toMatchObject({ code: 'CMQ-103' });
  expect(await queue.peekDlq()).toHaveLength(1);
  expect(await queue.replayDlq()).toBe(1);
  await queue.add('tick', 'tick', { repeat: { every: 60_000 } });
  expect(await queue.getRepeatableJobs()).toHaveLength(1);
  await queue.add('send', 'later', { delay: 60_000, jobId: 'later' });
  expect(await queue.remove('later')).toBe(1);
  const long = await queue.add('send', 'long', { jobId: 'long' });
  await vi.waitFor(async () => {
    expect(await queue.cancel(long.id)).toBe('signalled');
  });
  await expect(long.waitForResult()).rejects.toMatchObject({ code: 'CMQ-103' });
  await vi.waitFor(() => {
    expect(heard).toHaveBeenCalledTimes(3);
  });
  let gauges: (() => Promise<QueueGauges> | undefined) | undefined;
  const telemetry = { producer: (observed: ObservedQueue) => ((gauges = () => observed.gauges()), {}) };
  await using observed = new Queue('mails', { connection, telemetry });
  await observed.waitUntilReady();
  expect(await gauges?.()).toMatchObject({ waiting: 0, workers: 1, isPaused: false });
  await queue.pause();
  expect(await queue.isPaused()).toBe(true);
  expect(await queue.getWorkers()).toMatchObject([{ id: worker.id, pid: process.pid }]);
  await vi.waitFor(() => {
    expect(worker.health().queuePaused).toBe(true);
  });
  await queue.resume();
  const resumed = await queue.add('send', 'good');
  expect(await resumed.waitForResult()).toBe('good');
  await worker.close();
  await events.close();
  await queue.addBulk(
    [1, 2].map((priority) => ({ name: 'send', data: 'good', opts: { priority, jobId: `p${priority}` } })),
  );
  await queue.obliterate({ force: true });
  expect(errors).toEqual([]);
});

it('the smallest user may call every command of the scripts', async () => {
  await redis.client.call('ACL', documentedRule());
  const commands = scriptCommands();
  expect(commands.length).toBeGreaterThan(50);
  const infos = (await redis.client.call('COMMAND', 'INFO', ...commands)) as [string, number][];
  for (const [command, arity] of infos) {
    const subcommand = { xgroup: ['CREATE'], xinfo: ['STREAM'] }[command] ?? [];
    const args = [
      ...subcommand,
      ...Array.from({ length: Math.max(Math.abs(arity) - 1, 4) }, () => '{chasqui:mails}:x'),
    ];
    const exact = arity > 0 ? args.slice(0, arity - 1) : args;
    expect(
      `${command} ${String(await redis.client.call('ACL', 'DRYRUN', 'chasqui', command, ...exact))}`,
    ).toBe(`${command} OK`);
  }
});

it.each([
  ['a command', ['~*', '+@connection', '+@scripting']],
  ['a command that a script runs', ['~*', '+@all', '-xlen']],
  ['a key', ['~other', '+@all']],
  ['a key that a script makes up', ['~*:stream', '+@all']],
])('a user that lacks %s is told so, without its password', async (_, rules) => {
  await redis.client.call('ACL', ['SETUSER', 'poor', 'reset', 'on', '>topsecret', ...rules]);
  await using queue = new Queue('mails', {
    connection: { host: redis.server.host, port: redis.server.port, username: 'poor', password: 'topsecret' },
  });
  const error = await queue.add('send', 1).catch((reason: unknown) => reason as Error);
  expect(error).toMatchObject({ code: 'CMQ-001' });
  expect((error as Error).message).toMatch(/ACL user lacks a command/);
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('topsecret');
});

it('a server that cannot save, or misses its replicas, is explained', async () => {
  await using queue = new Queue('mails', {
    connection: { host: redis.server.host, port: redis.server.port },
  });
  await redis.client.config('SET', 'min-replicas-to-write', '1');
  await expect(queue.add('send', 1)).rejects.toThrow(/min-replicas-to-write, and refuses every write/);
  await redis.client.config('SET', 'min-replicas-to-write', '0');
  await queue.add('send', 1);
});
