import { lastValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Job, JobsOptions } from '../../../lib/engine/index.js';
import { FakeQueue } from '../../../lib/testing/index.js';
import { ChasquiClient, ChasquiRecord, ChasquiServer } from '../../../lib/microservices/index.js';
import { NAME, eventually, next, rejection, useKit } from './kit.js';

const redis = useKit();

const GROUP = { id: 'acme', priority: 3 };

describe('schedules', () => {
  test('add their jobs into the group of their options, and say it', async () => {
    const queue = redis.queue();
    await queue.add('tick', 1, { group: GROUP, repeat: { every: 3_600_000, immediately: true, key: 'a' } });
    await queue.upsertJobScheduler(
      'b',
      { every: 3_600_000 },
      { name: 'tock', opts: { group: { id: 'acme' } } },
    );
    expect((await queue.getJobScheduler('a'))?.template.opts).toEqual({ group: GROUP });
    expect((await queue.getJobScheduler('b'))?.template.opts).toEqual({ group: { id: 'acme' } });
    const ran: Job[] = [];
    redis.worker((job) => void ran.push(job), { scheduler: { tickIntervalMs: 20 } });
    await eventually(() => {
      expect(ran.map(({ groupId }) => groupId)).toEqual(['acme', 'acme']);
    });
    expect(ran.find(({ name }) => name === 'tick')).toMatchObject({ priority: 3, opts: { group: GROUP } });
  });

  test('leave the size of a default group to single jobs', async () => {
    const queue = redis.queue({ defaultJobOptions: { group: { id: 'acme', maxSize: 1 } } });
    await queue.add('tick', 1, { repeat: { every: 3_600_000, key: 'a' } });
    await queue.upsertJobScheduler('b', { every: 3_600_000, startDate: Date.now() + 3_600_000 });
    for (const key of ['a', 'b']) {
      expect((await queue.getJobScheduler(key))?.template.opts).toEqual({ group: { id: 'acme' } });
    }
    await queue.add('single', 1);
    expect(await rejection(queue.add('single', 2))).toMatchObject({ code: 'CMQ-112' });
  });
});

test('the job in a handler and its JSON have the group', async () => {
  const queue = redis.queue();
  await queue.add('a', 1, { group: GROUP });
  const worker = redis.worker(({ groupId }) => groupId);
  const [job] = await next(worker, 'completed');
  expect(job).toMatchObject({ groupId: 'acme', priority: 3, returnvalue: 'acme' });
  expect(JSON.parse(JSON.stringify(job))).toMatchObject({ groupId: 'acme', opts: { group: GROUP } });
});

test('dead letters keep it, and replay puts them back', async () => {
  const queue = redis.queue();
  await queue.add('a', 1, { group: GROUP, attempts: 1 });
  const failing = redis.worker(() => Promise.reject(new Error('no')));
  await next(failing, 'failed');
  await failing.close();
  const [failed] = await queue.getFailed();
  expect(failed).toMatchObject({ groupId: 'acme' });
  expect(await queue.replayDlq()).toBe(1);
  expect(await queue.getGroupJobs('acme')).toMatchObject([{ name: 'a', groupId: 'acme', priority: 3 }]);
});

test('backlog, gauges (which are made of it) and counts have their jobs as waiting', async () => {
  const queue = redis.queue();
  await queue.add('a', 1, { group: GROUP });
  await queue.add('b', 1, { group: { id: 'other' } });
  await queue.add('c', 1);
  expect(await queue.getBacklog()).toMatchObject({ waiting: 3, prioritized: 0 });
  expect(await queue.getJobCounts('waiting', 'prioritized')).toMatchObject({ waiting: 3, prioritized: 0 });
});

describe('the fake queue', () => {
  const fake = (): FakeQueue => new FakeQueue('mail');

  test('records the group, and refuses what the real one refuses', async () => {
    const queue = fake();
    const job = await queue.add('a', 1, { group: GROUP });
    expect(job).toMatchObject({ groupId: 'acme', priority: 3 });
    expect(queue.added).toMatchObject([{ opts: { group: GROUP } }]);
    const wrong: JobsOptions[] = [
      { group: { id: '' } },
      { group: { id: 'a' }, priority: 1 },
      { group: { id: 'a' }, lifo: true },
      { group: { id: 'a', maxSize: 0 } },
      { group: 'a' as never },
    ];
    for (const options of wrong) {
      expect(await rejection(queue.add('a', 1, options))).toMatchObject({ code: 'CMQ-004' });
    }
    expect(queue.added).toHaveLength(1);
  });
});

describe('microservices', () => {
  test('a server declares limits of groups, and a message may have a group', async () => {
    const server = new ChasquiServer({
      queue: NAME,
      connection: redis.connection,
      group: { concurrency: 2 },
    });
    const groups: unknown[] = [];
    server.addHandler(
      'tell',
      (_data: unknown, context: { getJob: () => Job }) => {
        groups.push(context.getJob().groupId);
        return Promise.resolve();
      },
      true,
    );
    const client = new ChasquiClient({ queue: NAME, connection: redis.connection });
    let failure: unknown;
    await server.listen((error) => {
      failure = error;
    });
    expect(failure ?? undefined).toBeUndefined();
    try {
      await lastValueFrom(client.emit('tell', new ChasquiRecord(1, { group: { id: 'acme' } })), {
        defaultValue: undefined,
      });
      await eventually(() => {
        expect(groups).toEqual(['acme']);
      });
      expect(await redis.queue().getGroupDefaults()).toEqual({ concurrency: 2 });
    } finally {
      await client.close();
      await server.close();
    }
  });
});
