import { expect, it, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { useKit } from '../redis/contract/kit.js';
import { useTerminals } from './support/terminal.js';
import type { Terminal } from './support/terminal.js';

vi.setConfig({ testTimeout: 60_000 });

const kit = useKit();
const terminals = useTerminals(() => ({ columns: 240, env: { CHASQUI_REDIS_URL: kit.url } }));

/** Runs jobs, and resolves when all have ended. */
async function run(...jobs: { name: string; data?: unknown; opts?: object }[]): Promise<void> {
  const queue = kit.queue();
  const events = await kit.events();
  let left = jobs.length;
  const ended = new Promise<void>((resolve) => {
    for (const event of ['completed', 'dlq'] as const) {
      events.on(event, () => {
        if (--left === 0) resolve();
      });
    }
  });
  const worker = kit.worker(async ({ data }) => {
    if (data === 'bad') throw new UnrecoverableError('no such address');
    return 'sent';
  });
  await queue.addBulk(jobs.map(({ data = 1, ...job }) => ({ data, ...job })));
  await ended;
  await worker.close();
  await events.close();
}

function records(terminal: Terminal): Record<string, unknown>[] {
  return terminal.raw
    .trim()
    .split(/\r?\n/)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('prints what happens from now on, until Ctrl-C', async () => {
  const queue = kit.queue();
  await queue.add('before', 1);
  const terminal = await terminals.chasqui('events', 'mail');
  // It listens before it prints anything: a probe shows when.
  const adding = setInterval(() => void queue.add('probe', 1), 200);
  await terminal.until(/waiting +\S+ +probe/);
  clearInterval(adding);
  await run({ name: 'welcome', data: 'bad', opts: { jobId: 'job-1' } });
  await terminal.until(/failed +job-1 +welcome +reason=no such address {2}attempt=1 {2}took=/);
  await terminal.until(/dlq +job-1 +welcome +reason=unrecoverable/);
  expect(terminal.history).not.toMatch(/waiting +\S+ +before/);
  expect(terminal.styleOf('failed').color).toBe(1);
  terminal.press('ctrl-c');
  expect((await terminal.exit()).code).toBe(130);
  expect(terminal.text).not.toContain('Interrupted');
});

it('prints the events of batches one by one, and filters them by event, job and name', async () => {
  const jobs = Array.from({ length: 40 }, (_, i) => ({
    name: i % 2 === 0 ? 'welcome' : 'farewell',
    opts: { jobId: `job-${String(i)}` },
  }));
  await run(...jobs);
  const all = await terminals.chasqui('events', 'mail', '--no-follow', '--json');
  expect((await all.exit()).code).toBe(0);
  const waiting = records(all).filter(({ event }) => event === 'waiting');
  expect(waiting.map(({ jobId }) => jobId)).toEqual(jobs.map(({ opts }) => opts.jobId));
  // One add of forty jobs is one entry.
  expect(waiting[39]?.['id']).toMatch(/^\d+-\d+:40$/);
  const some = await terminals.chasqui(
    'events',
    'mail',
    '--no-follow',
    '--json',
    '-e',
    'completed,waiting',
    '--name',
    'farewell',
    '-j',
    'job-3',
    '-j',
    'job-4',
  );
  await some.exit();
  expect(records(some)).toMatchObject([
    { event: 'waiting', jobId: 'job-3', name: 'farewell' },
    { event: 'completed', jobId: 'job-3', attempt: 1 },
  ]);
});

it('begins after the id of an event, at a time, or so long ago, and ends after --limit', async () => {
  await run({ name: 'welcome', opts: { jobId: 'a' } }, { name: 'welcome', opts: { jobId: 'b' } });
  const all = await terminals.chasqui('events', 'mail', '--no-follow', '--json');
  await all.exit();
  const [first, ...rest] = records(all);
  const after = await terminals.chasqui(
    'events',
    'mail',
    '--no-follow',
    '--json',
    '--since',
    String(first?.['id']),
  );
  await after.exit();
  expect(records(after)).toEqual(rest);
  const limited = await terminals.chasqui('events', 'mail', '--json', '--since', '1h', '--limit', '1');
  expect((await limited.exit()).code).toBe(0);
  expect(records(limited)).toEqual([first]);
  const later = await terminals.chasqui(
    'events',
    'mail',
    '--no-follow',
    '--json',
    '--since',
    String(Date.now() + 60_000),
  );
  await later.exit();
  expect(later.raw).toBe('');
});

it('shows pauses, removals and events that it does not know', async () => {
  const queue = kit.queue();
  await queue.pause();
  await queue.resume();
  const job = await queue.add('welcome', 1, { jobId: 'job-1' });
  await job.remove();
  await kit.client.xadd('{chasqui:mail}:events', '*', 'e', 'odd\x1b[2J', 'id', 'x\ny', 'why', 'a\u202eb');
  await kit.client.xadd('{chasqui:mail}:events', '*', 'e', 'batch', 'of', 'completed', 'ids', 'no list');
  const terminal = await terminals.chasqui('events', 'mail', '--no-follow');
  expect((await terminal.exit()).code).toBe(0);
  expect(terminal.text).toMatch(/paused[^]+resumed[^]+removed +job-1/);
  expect(terminal.text).toContain(String.raw`odd\x1b[2J`);
  expect(terminal.text).toContain(String.raw`x\ny`);
  expect(terminal.text).toContain(String.raw`why=a\u202eb`);
  expect(terminal.text).toMatch(/batch.*ids=no list/);
});

it('survives an outage of Redis and misses nothing that Redis has', async () => {
  const queue = kit.queue();
  queue.on('error', () => {});
  await queue.add('first', 1);
  const terminal = await terminals.chasqui('events', 'mail', '--since', '1h');
  await terminal.until('first');
  await kit.server.kill();
  await terminal.until('Trying again.');
  await kit.server.restart();
  await terminal.until('Redis answers again.');
  await kit.queue().add('second', 1);
  await terminal.until(/waiting +\S+ +second/);
});

it.each([
  [['nail'], 3, 'Did you mean "mail"?'],
  [['mail', '--event', 'complet'], 2, 'Did you mean "completed"?'],
  [['mail', '--since', 'soon'], 2, '--since "soon" is no time.'],
])('refuses %j', async (args, code, message) => {
  await kit.queue().add('welcome', 1);
  const terminal = await terminals.chasqui('events', ...args);
  expect((await terminal.exit()).code).toBe(code);
  expect(terminal.text).toContain(message);
});
