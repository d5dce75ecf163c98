import { beforeEach, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { usePipes } from './support/piped.js';
import { useTerminals } from './support/terminal.js';

/* What the commands know of the jobs that wait in the room: those with a priority, with lifo or in a group. */

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: redis.url } }));

/** Runs commands that change nothing at the same time. */
const all = async (...lines: string[][]): Promise<Awaited<ReturnType<typeof chasqui>>[]> =>
  Promise.all(lines.map((words) => chasqui(...words)));

/** A terminal shows its control character as text. */
const HOSTILE = 'b\u001b[31m';

beforeEach(async () => {
  await using queue = new Queue('mail', { connection: redis.connection });
  await queue.add('plain', { n: 1 }, { jobId: 'plain' });
  await queue.add('last', { n: 2 }, { jobId: 'p9', priority: 9 });
  await queue.add('first', { n: 3 }, { jobId: 'p1', priority: 1 });
  await queue.add('lifo', { n: 4 }, { jobId: 'lifo', lifo: true });
  await queue.add('report', { n: 5 }, { jobId: 'g1', group: { id: 'acme' } });
  await queue.add('report', { n: 6 }, { jobId: 'g2', group: { id: HOSTILE, priority: 3 } });
  await queue.add('later', { n: 7 }, { jobId: 'd1', delay: 3_600_000, priority: 4 });
});

describe('jobs', { timeout: 60_000 }, () => {
  it('list shows prioritized jobs by default, with the priority and the group of each job', async () => {
    const list = ['jobs', 'list', 'mail', '--asc'];
    const [json, text] = await all([...list, '--json'], list);
    const order = { priority: 0, lifo: false, group: null };
    expect(json?.json).toMatchObject({
      counts: { waiting: 4, prioritized: 2, active: 0, delayed: 1, failed: 0, completed: 0 },
      jobs: [
        { ...order, id: 'lifo', state: 'waiting', lifo: true },
        { ...order, id: 'plain', state: 'waiting' },
        { ...order, id: 'g1', state: 'waiting', group: 'acme' },
        { ...order, id: 'g2', state: 'waiting', group: HOSTILE, priority: 3 },
        { ...order, id: 'p1', state: 'prioritized', priority: 1 },
        { ...order, id: 'p9', state: 'prioritized', priority: 9 },
        { ...order, id: 'd1', state: 'delayed', priority: 4 },
      ],
    });
    expect(text?.out).toMatch(/^ID +NAME +STATE +PRIORITY +GROUP +ADDED +NOTE +DATA\n/);
    expect(text?.out).toMatch(/^lifo +lifo +waiting +lifo +– /m);
    expect(text?.out).toMatch(/^g1 +report +waiting +– +acme /m);
    expect(text?.out).toMatch(/^g2 +report +waiting +3 +b\\x1b\[31m /m);
    expect(text?.out).toMatch(/^p9 +last +prioritized +9 +– /m);
  });

  it('list has only the columns that one of the jobs needs', async () => {
    await using other = new Queue('other', { connection: redis.connection });
    await other.add('plain', 1);
    const [prioritized, plain, none, group] = await all(
      ['jobs', 'list', 'mail', '--state', 'prioritized'],
      ['jobs', 'list', 'other'],
      ['jobs', 'list', 'other', '--state', 'prioritized'],
      ['jobs', 'list', 'mail', '--group', 'acme'],
    );
    expect(prioritized?.out).toMatch(/^ID +NAME +STATE +PRIORITY +ADDED .*\np9 .*\np1 .*\n$/);
    expect(plain?.out).toMatch(/^ID +NAME +STATE +ADDED +NOTE +DATA\n/);
    expect(none?.out).toBe('No job is prioritized.\n');
    expect(group?.out).toMatch(/^ID +NAME +STATE +GROUP +ADDED .*\ng1 +report +waiting +acme /);
  });

  it('list takes wait for waiting, and lists a state once', async () => {
    const { json } = await chasqui('jobs', 'list', 'mail', '--state', 'wait,waiting', '--json');
    expect(json).toMatchObject({ counts: { waiting: 4 }, jobs: { length: 4 } });
  });

  it('find looks at prioritized jobs too', async () => {
    const [found, others] = await all(
      ['jobs', 'find', 'mail', '--data', 'n=2', '--json'],
      ['jobs', 'find', 'mail', '--name', 'last', '--state', 'waiting'],
    );
    expect(JSON.parse(found?.out ?? '')).toMatchObject({ id: 'p9', state: 'prioritized', priority: 9 });
    expect(others?.out).toBe('No job matches.\n');
  });

  it('show says priority and group', async () => {
    const [inGroup, lifo, plain, json] = await all(
      ['job', 'show', 'mail', 'g2'],
      ['job', 'show', 'mail', 'lifo'],
      ['job', 'show', 'mail', 'plain'],
      ['job', 'show', 'mail', 'p1', '--json'],
    );
    expect(inGroup?.out).toMatch(/^state +waiting\npriority +3\ngroup +b\\x1b\[31m\nadded/m);
    expect(lifo?.out).toMatch(/^priority +lifo\nadded/m);
    expect(plain?.out).not.toMatch(/^(priority|group)/m);
    expect(json?.json).toMatchObject({ state: 'prioritized', priority: 1, group: null });
  });

  it('add gives a job a priority, lifo or a group', async () => {
    const add = (id: string, ...options: string[]): string[] => [
      ...['add', 'mail', 'a', '1', '--job-id', id],
      ...options,
    ];
    const [, , , both] = await all(
      add('a1', '--priority', '7'),
      add('a2', '--priority', '8', '--group', 'acme'),
      add('a3', '--lifo'),
      add('a4', '--lifo', '--group', 'acme'),
    );
    await using queue = new Queue('mail', { connection: redis.connection });
    const added = await Promise.all(['a1', 'a2', 'a3'].map(async (id) => (await queue.getJob(id))?.opts));
    expect(added).toMatchObject([{ priority: 7 }, { group: { id: 'acme', priority: 8 } }, { lifo: true }]);
    expect([both?.code, both?.err]).toEqual([2, expect.stringContaining('CMQ-004')]);
  });
});

describe('what a command counts', { timeout: 60_000 }, () => {
  it('inspect names how many have a priority or are in groups', async () => {
    const [text, json] = await all(['inspect', 'mail'], ['inspect', '--json']);
    expect(text?.out).toMatch(/^waiting +6, the oldest for \S+, 2 with a priority, 2 in groups$/m);
    expect(json?.json).toMatchObject({ queues: [{ waiting: 6, prioritized: 2, grouped: 2, delayed: 1 }] });
  });

  it('pause and resume count all jobs that wait', async () => {
    expect((await chasqui('pause', 'mail')).out).toContain('0 active jobs will finish, 6 jobs wait.');
    expect((await chasqui('pause', 'mail', '--json')).json).toMatchObject({ waiting: 6 });
    expect((await chasqui('resume', 'mail')).out).toContain('6 jobs wait for a worker.');
    expect((await chasqui('resume', 'mail', '--json')).json).toMatchObject({ waiting: 6 });
  });

  it.each([
    { paused: false, args: [], count: 6 },
    { paused: true, args: ['--delayed'], count: 7 },
  ])('drain $args removes as many as it says; paused: $paused', async ({ paused, args, count }) => {
    await using queue = new Queue('mail', { connection: redis.connection });
    if (paused) await queue.pause();
    const drain = ['drain', 'mail', ...args];
    const [dry, asks] = await all([...drain, '--dry-run', '--json'], drain);
    expect(dry?.json).toMatchObject({ matching: count });
    expect(asks?.err).toContain(`Remove ${count} jobs of "mail" that wait`);
    expect((await chasqui(...drain, '--yes')).out).toBe(`Removed ${count} jobs.\n`);
    expect(await queue.count()).toBe(7 - count);
  });

  it('clean knows prioritized jobs, and takes wait for waiting', async () => {
    const clean = ['clean', 'mail', 'prioritized', '--all'];
    const [dry, typo] = await all([...clean, '--dry-run'], ['clean', 'mail', 'priorized', '--all', '--yes']);
    expect(dry?.out).toContain('prioritized jobs of "mail" (there are 2 prioritized jobs)');
    expect([typo?.code, typo?.err]).toEqual([2, expect.stringContaining('Did you mean prioritized?')]);
    const cleaned = await chasqui(...clean, '--yes', '--json');
    expect(cleaned.json).toEqual({ queue: 'mail', state: 'prioritized', removed: 2 });
    const waiting = await chasqui('clean', 'mail', 'wait', '--all', '--yes', '--json');
    expect(waiting.json).toEqual({ queue: 'mail', state: 'waiting', removed: 4 });
  });

  it('obliterate names all jobs, on a terminal too', async () => {
    expect((await chasqui('obliterate', 'mail', '--dry-run', '--json')).json).toMatchObject({ jobs: 7 });
    const terminal = await terminals.chasqui('obliterate', 'mail');
    await terminal.until('Delete "mail" with 7 jobs (0 failed) and 0 schedules? Type mail to confirm:');
    terminal.press('no', 'enter');
    expect((await terminal.exit()).code).toBe(4);
  });
});

it('a narrow terminal shows what fits of them', { timeout: 60_000 }, async () => {
  const terminal = await terminals.chasqui('jobs', 'list', 'mail', '--state', 'waiting', { columns: 50 });
  expect((await terminal.exit()).code).toBe(0);
  expect(terminal.text).toMatch(/^ID +NAME +STATE +PRIORITY +GROUP/);
  expect(terminal.text).not.toContain('ADDED');
  expect(terminal.text).toContain(String.raw`b\x1b[31m`);
  expect(terminal.text.split('\n').every((line) => line.length <= 50)).toBe(true);
});
