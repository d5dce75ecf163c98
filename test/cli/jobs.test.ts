import { beforeEach, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { usePipes } from './support/piped.js';
import { useTerminals } from './support/terminal.js';

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: redis.url } }));

beforeEach(async () => {
  await using queue = new Queue('mail', { connection: redis.connection });
  for (let n = 0; n < 5; n++) {
    await queue.add('send', { user: { id: n } }, { jobId: `w${n}` });
    await queue.add('later', { user: { id: n } }, { jobId: `d${n}`, delay: 3_600_000 });
  }
});

describe('jobs', { timeout: 60_000 }, () => {
  it('list shows jobs by state', async () => {
    const { json } = await chasqui(
      'jobs',
      'list',
      'mail',
      '--state',
      'waiting',
      '--limit',
      '2',
      '--asc',
      '--json',
    );
    expect(json).toMatchObject({
      queue: 'mail',
      counts: { waiting: 5 },
      jobs: [
        { id: 'w0', name: 'send', state: 'waiting', data: { user: { id: 0 } } },
        { id: 'w1', state: 'waiting' },
      ],
    });
    expect((await chasqui('jobs', 'list', 'mail')).out).toMatch(/d4 +later +delayed .* due in (59m|1h)/);
  });

  it('list of an unknown state names the nearest', async () => {
    const { code, err } = await chasqui('jobs', 'list', 'mail', '--state', 'waitng');
    expect(code).toBe(2);
    expect(err).toContain('Did you mean waiting?');
  });

  it.each(['', ',', ' , '])('list of no state ("%s") is refused: it does not mean all', async (state) => {
    const { code, err } = await chasqui('jobs', 'list', 'mail', '--state', state);
    expect(code).toBe(2);
    expect(err).toContain('at least one value');
  });

  it('an unknown job has a code; without a terminal only --yes is proposed', async () => {
    const unknown = await chasqui('job', 'show', 'mail', 'nope', '--json');
    expect(unknown.code).toBe(3);
    expect(JSON.parse(unknown.err)).toMatchObject({ error: { code: 'CMQ-106' } });
    const unconfirmed = await chasqui('job', 'cancel', 'mail', 'w0');
    expect(unconfirmed.code).toBe(4);
    expect(unconfirmed.err).toMatch(/Pass --yes to confirm\.\n$/);
    const drain = await chasqui('drain', 'mail');
    expect(drain.err).toContain('--dry-run shows what would be done.');
  });

  it('find looks into the data, one line for each job', async () => {
    const { out } = await chasqui('jobs', 'find', 'mail', '--data', 'user.id=3', '--name', 'send', '--json');
    expect(JSON.parse(out)).toMatchObject({ id: 'w3', state: 'waiting' });
    expect((await chasqui('jobs', 'find', 'mail', '--data', 'user.id=99')).out).toBe('No job matches.\n');
    expect((await chasqui('jobs', 'find', 'mail')).code).toBe(2);
  });
});

describe('job', { timeout: 60_000 }, () => {
  it('show says all that is known', async () => {
    const { json } = await chasqui('job', 'show', 'mail', 'd1', '--json');
    expect(json).toMatchObject({
      queue: 'mail',
      id: 'd1',
      state: 'delayed',
      data: { user: { id: 1 } },
      logs: 0,
    });
    expect((await chasqui('job', 'show', 'mail', 'w1')).out).toMatch(/state +waiting/);
  });

  it('promote, remove and cancel change the state', async () => {
    expect((await chasqui('job', 'promote', 'mail', 'd1')).out).toBe('Job d1 waits for a worker.\n');
    expect((await chasqui('job', 'remove', 'mail', 'd1', '--yes')).out).toBe('Removed job d1.\n');
    const { json } = await chasqui('job', 'cancel', 'mail', 'w2', '--yes', '--json');
    expect(json).toEqual({ queue: 'mail', id: 'w2', outcome: 'removed' });
    expect((await chasqui('job', 'show', 'mail', 'w2')).code).toBe(3);
  });

  it('a wrong state is refused with exit code 4, and says which it is', async () => {
    const { code, err } = await chasqui('job', 'promote', 'mail', 'w1');
    expect(code).toBe(4);
    expect(err).toMatch(/CMQ-107.*waiting/);
    const retried = await chasqui('job', 'retry', 'mail', 'w1');
    expect(retried.code).toBe(4);
    // The text is of a command, not of a call.
    expect(retried.err).not.toContain('(');
  });

  it.each(['show', 'cancel', 'retry', 'promote', 'logs', 'remove'])(
    '%s of an unknown job is exit code 3',
    async (command) => {
      expect((await chasqui('job', command, 'mail', 'nobody', '--yes')).code).toBe(3);
    },
  );
});

describe('pause, resume, inspect and workers', { timeout: 60_000 }, () => {
  it('a pause is shown, and ends', async () => {
    const paused = await chasqui('pause', 'mail', '--json');
    expect(paused.json).toEqual({
      queue: 'mail',
      paused: true,
      changed: true,
      active: 0,
      ofDeadWorkers: 0,
      waiting: 5,
    });
    expect((await chasqui('inspect', 'mail')).out).toMatch(/state +paused/);
    const resumed = await chasqui('resume', 'mail', '--json');
    expect(resumed.json).toEqual({ queue: 'mail', paused: false, changed: true, waiting: 5 });
    const all = await chasqui('inspect', '--json');
    expect((all.json as { queues: unknown[] }).queues[0]).toMatchObject({
      limits: { concurrency: null, rate: null },
    });
    await using limited = new Queue('mail', { connection: redis.connection });
    await limited.setGlobalConcurrency(5);
    await limited.setGlobalRateLimit(100, 60_000);
    expect((await chasqui('inspect', 'mail')).out).toMatch(/limits +5 jobs at once, 100 starts in 1m/);
    expect((await chasqui('inspect', 'mail', '--json')).json).toMatchObject({
      limits: { concurrency: 5, rate: { max: 100, duration: 60_000 } },
    });
    expect(all.json).toMatchObject({ queues: [{ name: 'mail', paused: false, waiting: 5, delayed: 5 }] });
    expect((await chasqui('workers')).out).toBe('No worker runs.\n');
  });

  it('a pause tells the jobs that will finish from those of dead workers', async () => {
    const { client } = redis;
    const stream = '{chasqui:mail}:stream';
    await client.xgroup('CREATE', stream, 'default', '0');
    for (const [name, count] of [
      ['dead;lease=1', 1],
      ['alive;lease=600000', 2],
    ] as const) {
      await client.xreadgroup('GROUP', 'default', name, 'COUNT', count, 'STREAMS', stream, '>');
    }
    const { out } = await chasqui('pause', 'mail');
    expect(out).toContain('\n2 active jobs will finish, 2 jobs wait. Resume: chasqui resume mail\n');
    expect(out).toContain('\n1 active job of dead workers is taken over when the queue is resumed.\n');
    const { json } = await chasqui('pause', 'mail', '--json');
    expect(json).toMatchObject({ changed: false, active: 3, ofDeadWorkers: 1, waiting: 2 });
  });

  it('a pause that makes the pause of an obliterate last is not "already"', async () => {
    const soon = Date.now() + 600_000;
    await redis.client.hset('{chasqui:mail}:meta', 'paused', Date.now(), 'until', soon);
    expect((await chasqui('pause', 'mail')).out).toContain('Paused "mail".\n');
    expect((await chasqui('pause', 'mail')).out).toContain('"mail" was paused already.\n');
    expect((await chasqui('resume', 'mail')).out).toContain('Resumed "mail".\n');
    expect((await chasqui('resume', 'mail')).out).toContain('"mail" was not paused.\n');
  });
});

describe('drain, clean and obliterate', { timeout: 60_000 }, () => {
  it('--dry-run changes nothing; without confirmation they are refused', async () => {
    for (const args of [
      ['drain', 'mail'],
      ['clean', 'mail', 'delayed', '--all'],
      ['obliterate', 'mail'],
    ]) {
      expect((await chasqui(...args, '--dry-run')).out).toContain('Nothing was changed.');
      expect((await chasqui(...args)).code).toBe(4);
    }
    expect((await chasqui('clean', 'mail', 'waiting', '--yes')).code).toBe(2);
    expect((await chasqui('inspect', '--json')).json).toMatchObject({ queues: [{ waiting: 5, delayed: 5 }] });
  });

  it('remove what they say', async () => {
    expect((await chasqui('clean', 'mail', 'delayed', '--limit', '2', '--yes')).out).toBe(
      'Removed 2 jobs.\n',
    );
    expect((await chasqui('drain', 'mail', '--yes', '--json')).json).toEqual({ queue: 'mail', removed: 5 });
    expect((await chasqui('inspect', '--json')).json).toMatchObject({ queues: [{ waiting: 0, delayed: 3 }] });
  });

  it('count the jobs of a paused queue: they are removed too', async () => {
    expect((await chasqui('pause', 'mail')).out).toContain('5 jobs wait. Resume: chasqui resume mail\n');
    expect((await chasqui('drain', 'mail', '--dry-run')).out).toContain('5 jobs of "mail" that wait would');
    expect((await chasqui('drain', 'mail', '--delayed', '--dry-run', '--json')).json).toMatchObject({
      matching: 10,
    });
    expect((await chasqui('clean', 'mail', 'waiting', '--all')).err).toContain('there are 5 waiting jobs');
    const { json } = await chasqui('jobs', 'list', 'mail', '--state', 'waiting', '--json');
    expect(json).toMatchObject({ counts: { waiting: 5 } });
    expect((await chasqui('drain', 'mail', '--yes')).out).toBe('Removed 5 jobs.\n');
  });

  it('obliterate asks for the name of the queue', async () => {
    const terminal = await terminals.chasqui('obliterate', 'mail');
    await terminal.until('Type mail to confirm:');
    terminal.press('mail', 'enter');
    expect((await terminal.exit()).code).toBe(0);
    expect(await redis.client.exists('{chasqui:mail}:stream')).toBe(0);
  });
});
