import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { exportDlq, importDlq } from '../../../lib/engine/admin/dlq-archive.js';
import { CommandLink } from '../../../lib/engine/connection/command-link.js';
import { UnrecoverableError } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { isNumbered } from '../../../lib/redis/script-registry.js';
import type { ScriptName } from '../../../lib/redis/script-runner.js';
import { setGroup } from '../../../lib/redis/scripts/set-group.js';
import { SOURCES } from '../../../lib/redis/scripts.generated.js';
import { KEYS, eventually, next, take, useKit } from './kit.js';

/*
 * Every numbered call is sent twice, at once: the second gets the reply of the first, and changes nothing. Of each script, one
 * second call at least is made, also of those of workers.
 */

const redis = useKit();
const HOUR = 3_600_000;
const sent = new Set<ScriptName>();
const differences: string[] = [];

/** The reply to an add that had delayed jobs and added them all, and the length of the stream. */
function isOnlyDue(first: unknown, second: unknown): boolean {
  const [length, refused, duplicates] = Array.isArray(first) ? (first as unknown[]) : [];
  return length === second && String(refused) === '' && String(duplicates) === '';
}

beforeEach(() => {
  sent.clear();
  differences.length = 0;
  const once = CommandLink.prototype.run;
  vi.spyOn(CommandLink.prototype, 'run').mockImplementation(async function (
    this: CommandLink,
    name,
    keys,
    args,
    options = {},
  ) {
    if (!isNumbered(name)) return once.call(this, name, keys, args, options);
    // The calls of a producer have a number of their own among the arguments.
    const call = options.calls === undefined ? { call: options.call ?? this.nextCall() } : {};
    const both = [options, { ...options, onSettled: undefined }].map((one) =>
      once.call(this, name, keys, args, { ...one, ...call }),
    );
    const [first, second] = await Promise.all(both);
    sent.add(name);
    const text = (reply: unknown): string => JSON.stringify(reply, (_, value: unknown) => String(value));
    // When the earliest job is due is news for the first call only: a promoter was woken then.
    const isSame = text(first) === text(second) || (name === 'add' && isOnlyDue(first, second));
    if (!isSame) differences.push(`${name}: ${text(first)}, ${text(second)}`);
    return first;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('every numbered call counts once', async () => {
  const queue = redis.queue({ trackJobs: true });
  const runs = new Map<unknown, number>();
  const processor = async (job: Job): Promise<unknown> => {
    runs.set(job.data, (runs.get(job.data) ?? 0) + 1);
    await job.log('row');
    await job.updateProgress(job.attemptsMade);
    if (job.name === 'fatal') throw new UnrecoverableError('x');
    if (job.name === 'retry' && job.attemptsMade === 1) throw new Error('once');
    return job.data;
  };
  const worker = redis.worker(processor, { concurrency: 10, metrics: { maxDataPoints: 60 } });
  const completed = take(worker, 'completed', 30);
  const dead = take(worker, 'deadLettered', 15);
  const name = (i: number): string => (i % 3 === 0 ? 'fatal' : i % 3 === 1 ? 'retry' : 'good');
  const jobs = await queue.addBulk(Array.from({ length: 45 }, (_, i) => ({ name: name(i), data: i })));
  await Promise.all([completed, dead]);
  expect([...runs.values()].reduce((sum, count) => sum + count, 0)).toBe(60);
  const good = await queue.getJob(jobs[1]!.id);
  expect(good).toMatchObject({ attemptsMade: 2 });
  expect((await queue.getJobLogs(jobs[1]!.id)).logs).toEqual(['row', 'row']);
  await queue.add('good', 'late', { delay: 30, ttlMs: 1, expired: 'drop' });
  await eventually(async () => {
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
  await worker.close();
  expect((await queue.getMetrics('completed')).meta.count).toBe(30);

  // The dead letters: exported, dropped, imported, replayed.
  const link = (
    queue as unknown as { core: { use: <T>(call: (link: CommandLink) => Promise<T>) => Promise<T> } }
  ).core;
  const letters: { id: string; fields: readonly Buffer[] }[] = [];
  await link.use(async (to) => {
    for await (const page of exportDlq(to, KEYS, {})) {
      letters.push(...page.map(({ entry, fields }) => ({ id: entry.dlqId, fields })));
    }
  });
  expect(letters).toHaveLength(15);
  expect(await queue.dropDlq({ all: true })).toBe(15);
  expect(await link.use((to) => importDlq(to, KEYS, letters))).toBe(15);
  expect(await redis.client.xlen(KEYS.dlq)).toBe(15);
  expect(await queue.replayDlq(5)).toBe(5);
  const waiting = (): Promise<number> => redis.client.xlen(KEYS.stream);
  expect([await waiting(), await redis.client.xlen(KEYS.dlq)]).toEqual([5, 10]);
  await queue.retryJobs({ state: 'completed' });
  expect(await waiting()).toBe(35);

  // Changes of single jobs, and of many.
  const job = await queue.add('good', 1, { delay: HOUR, jobId: 'one' });
  await job.updateData(2);
  await job.promote();
  await job.moveToDelayed(Date.now() + HOUR);
  expect(await queue.cancel('one')).toBe('removed');
  const deduplication = { id: 'house', ttl: HOUR, extend: true, replace: true };
  await queue.add('good', 'first', { delay: HOUR, deduplication });
  const second = await queue.add('good', 'second', { delay: HOUR, deduplication });
  expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
  expect((await queue.add('good', 'third', { deduplication: { id: 'house' } })).id).toBe(second.id);
  expect(await queue.removeDeduplicationKey('house')).toBe(1);
  expect(await queue.cancel(second.id)).toBe('removed');
  await queue.drain();
  await queue.addBulk(
    Array.from({ length: 20 }, (_, i) => ({ name: 'good', data: i, opts: { delay: HOUR } })),
  );
  expect(await queue.clean(0, 5, 'delayed')).toHaveLength(5);
  await queue.promoteJobs({ count: 4 });
  expect(await waiting()).toBe(15);
  await queue.addBulk(
    Array.from({ length: 5 }, (_, i) => ({ name: 'good', data: i, opts: { priority: 1 + (i % 2) } })),
  );
  expect(await queue.clean(0, 2, 'prioritized')).toHaveLength(2);
  expect(await queue.getJobCountByTypes('prioritized')).toBe(3);

  // The policy.
  expect(await queue.setGlobalConcurrency(5)).toBe(1);
  expect(await queue.removeGlobalConcurrency()).toBe(1);
  expect(await link.use((to) => setGroup(to, KEYS, { group: 'a', concurrency: 2, paused: true }))).toBe(true);
  expect(await link.use((to) => setGroup(to, KEYS, { group: 'a', concurrency: null, paused: false }))).toBe(
    true,
  );

  // Schedules; and a worker that releases what its handler does not end.
  await queue.upsertJobScheduler('k', { every: 50 }, { name: 'good', data: 'tick' });
  await queue.pauseJobScheduler('k');
  await queue.resumeJobScheduler('k');
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const closing = redis.worker(() => gate, { concurrency: 1, shutdownDeadlineSecs: 0.2 });
  await next(closing, 'active');
  await eventually(() => {
    expect([...sent]).toContain('fire-schedules');
  });
  await queue.removeJobScheduler('k');
  const before = await waiting();
  await closing.close();
  open();
  expect(await waiting()).toBe(before);

  // A running job is cancelled, and what has completed is removed.
  await queue.drain();
  const doomed = redis.worker(
    (_, signal) =>
      new Promise((__, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  );
  const failed = next(doomed, 'failed');
  doomed.once('active', (started) => void queue.cancel(started.id));
  await queue.add('good', 'cancelled');
  await failed;
  await doomed.close();
  await queue.clean(0, 0);
  await queue.obliterate();
  expect(differences).toEqual([]);
  const numbered = (Object.keys(SOURCES) as ScriptName[]).filter(isNumbered);
  expect(numbered.filter((script) => !sent.has(script))).toEqual([]);
});
