import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { ConnectionError, Queue } from '../../lib/engine/index.js';
import { queueKeys } from '../../lib/redis/keys.js';
import { ScriptCall } from '../../lib/redis/script-command.js';
import { add as addJobs } from '../../lib/redis/scripts/add.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';
import { runnerOn } from '../support/script-runner.js';

/*
 * ioredis sends what was not answered again on its next connection, and the server remembers the last 1,024 calls of a
 * producer. So no more calls than that may be under way, those included whose callers have given up.
 */

const redis = useRedis();
const keys = queueKeys('jobs');

/** Adds one job a call; resolves with the errors. */
async function addEach(queue: Queue, count: number): Promise<ConnectionError[]> {
  const errors: ConnectionError[] = [];
  const adds: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    adds.push(
      queue.add('job', i).catch((error: unknown) => {
        errors.push(error as ConnectionError);
      }),
    );
    await setImmediate();
  }
  await Promise.all(adds);
  return errors;
}

test('calls without an answer in time are carried out once, however many follow', async () => {
  await using proxy = await TcpProxy.start(redis.server);
  // A client of the user's: it is not connected anew at the first call without an answer.
  const client = new Redis(proxy.url, { maxRetriesPerRequest: null, enableReadyCheck: false });
  client.on('error', () => undefined);
  try {
    await using queue = new Queue('jobs', {
      connection: client,
      commandTimeoutMs: 400,
      eventsEnabled: false,
    });
    await queue.waitUntilReady();
    expect(await addEach(queue, 1)).toEqual([]);
    proxy.blackholeReplies(true);
    const sent = 1 + (await addEach(queue, 256)).filter(({ unknownOutcome }) => unknownOutcome).length;
    expect(sent).toBe(257);
    // More than the server remembers.
    for (let times = 1; times <= 4; times += 1) {
      const errors = await addEach(queue, 256);
      expect(errors).toHaveLength(256);
      for (const { message } of errors) expect(message).toContain('Nothing was added');
    }
    await expect.poll(() => redis.client.xlen(keys.stream)).toBe(sent);
    proxy.blackholeReplies(false);
    proxy.cut();
    expect(await addEach(queue, 1)).toEqual([]);
    expect(await redis.client.xlen(keys.stream)).toBe(sent + 1);
  } finally {
    client.disconnect();
  }
});

test('adds that wait behind calls without an answer are refused with them, and not added', async () => {
  await using proxy = await TcpProxy.start(redis.server);
  const connection = { host: proxy.host, port: proxy.port };
  const limits = { commandTimeoutMs: 1_000, maxPayloadBytes: 5_000_000, eventsEnabled: false };
  await using queue = new Queue('jobs', { connection, ...limits });
  await queue.waitUntilReady();
  proxy.blackholeReplies(true);
  const data = Buffer.alloc(4_000_000);
  const begun = performance.now();
  const errors = await addAtOnce(queue, 14, data);
  expect(performance.now() - begun).toBeLessThan(5_000);
  const queued = errors.filter(({ unknownOutcome }) => !unknownOutcome);
  expect(queued.length).toBeGreaterThan(0);
  for (const { message } of queued) expect(message).toContain('Nothing was added');
  proxy.blackholeReplies(false);
  proxy.cut();
  // Uses the same connection, behind all that is sent again, however long that takes.
  await using other = new Queue('jobs', { connection, eventsEnabled: false });
  await other.add('job', 'last');
  expect(await redis.client.xlen(keys.stream)).toBeLessThanOrEqual(15 - queued.length);
});

async function addAtOnce(queue: Queue, count: number, data: unknown): Promise<ConnectionError[]> {
  const adds = Array.from({ length: count }, () => queue.add('job', data));
  const ends = await Promise.allSettled(adds);
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as ConnectionError] : []));
}

const NO_JOB = Buffer.from([0x94]);

/** Adds one job, whose bytes do not matter to the script; resolves with the length of the stream. */
async function add(sequence: number): Promise<number> {
  const { length } = await addJobs(runnerOn(redis.client), keys, {
    calls: keys.calls('p'),
    sequence,
    prolongs: true,
    maxStreamLen: 0,
    eventsCap: 0,
    eventsBatchFrom: 0,
    groups: [{ jobs: [{ id: 'one', name: 'job' }] }],
    writer: { bound: () => NO_JOB.length, write: (to, at) => at + NO_JOB.copy(to, at) },
  });
  return length;
}

test('a call that arrives after 1,024 later ones is refused, and changes nothing', async () => {
  expect(await add(5)).toBe(1);
  expect(await add(5)).toBe(1);
  expect(await add(5 + 1024)).toBe(2);
  await expect(add(5)).rejects.toThrow('came after 1024 later ones');
  expect(await add(5 + 1024)).toBe(2);
  expect(await add(5 + 2048)).toBe(3);
});

test('numbers start again after 2^32', async () => {
  const last = 2 ** 32 - 2;
  expect(await add(last)).toBe(1);
  expect(await add(last + 1024)).toBe(2);
  expect(await add(last + 1024)).toBe(2);
  await expect(add(last)).rejects.toThrow('came after 1024 later ones');
});

test('a call that failed does not change its place in the ring', async () => {
  expect(await add(7)).toBe(1);
  await redis.client.xadd(keys.stream, '18446744073709551615-18446744073709551615', 'd', 'x');
  await expect(add(7 + 1024)).rejects.toThrow();
  // Had it left nothing, this would be carried out.
  expect(await add(7)).toBe(2);
});

test('a call is sent again for as long as the server remembers it, and no longer', async () => {
  const call = new ScriptCall(['a'], { sendableMs: 30 });
  expect(call.argsToSend()).toEqual(['a']);
  expect(call.argsToSend()).toEqual(['a']);
  await expect.poll(() => call.argsToSend()).toBeUndefined();
});

test.each([1, 2])('a call that may be sent %s times is not sent more often', (mostSends) => {
  const call = new ScriptCall(['a'], { mostSends });
  for (let sends = 0; sends < mostSends; sends += 1) expect(call.argsToSend()).toEqual(['a']);
  // The server did not know the script: that does not count.
  call.wasUnknown();
  expect(call.argsToSend()).toEqual(['a']);
  expect(call.argsToSend()).toBeUndefined();
  call.wasUnknown();
  expect(call.argsToSend()).toBeUndefined();
});

test('reads survive that the connection is cut', async () => {
  await using proxy = await TcpProxy.start(redis.server);
  await using queue = new Queue('jobs', { connection: { host: proxy.host, port: proxy.port } });
  const { id } = await queue.add('job', { user: 1 }, { jobId: 'own' });
  await queue.add('later', 2, { delay: 3_600_000 });
  await redis.client.xadd(keys.dlq, '*', 'd', NO_JOB, 'reason', 'unrecoverable');
  const find = async (): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const job of queue.findJobs({ name: 'later' })) found.push(job);
    return found;
  };
  const readAll = (): Promise<unknown[]> =>
    Promise.all([
      queue.getJob(id),
      queue.getJobs(['waiting', 'delayed']),
      queue.getDlq(),
      queue.getJobCounts(),
      find(),
    ]);
  // What is left of a delay differs.
  const seen = (jobs: unknown): string => JSON.stringify(jobs).replace(/"delay":\d+/g, '');
  const before = seen(await readAll());
  proxy.blackholeReplies(true);
  const reads = readAll();
  await setImmediate();
  proxy.blackholeReplies(false);
  proxy.cut();
  expect(seen(await reads)).toBe(before);
});
