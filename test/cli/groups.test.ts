import { beforeEach, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { usePipes } from './support/piped.js';

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));

/** A terminal shows its control character as text. */
const HOSTILE = 'b o\u001b[31m';

beforeEach(async () => {
  await using queue = new Queue('mail', { connection: redis.connection });
  for (const [id, count] of [
    ['acme', 3],
    [HOSTILE, 1],
  ] as const) {
    for (let n = 0; n < count; n++) {
      await queue.add('send', { n }, { jobId: `${id}${n}`, group: { id } });
    }
  }
});

describe('groups', { timeout: 60_000 }, () => {
  it('are listed, and counted by inspect', async () => {
    expect((await chasqui('groups', 'mail', '--json')).json).toEqual({
      queue: 'mail',
      total: 2,
      defaults: { concurrency: null, rate: null, strict: false },
      pausedWithoutJobs: 0,
      groups: [
        { id: 'acme', status: 'waiting', waiting: 3, active: 0 },
        { id: HOSTILE, status: 'waiting', waiting: 1, active: 0 },
      ],
    });
    const { out } = await chasqui('groups', 'mail', '--limit', '1');
    expect(out).toMatch(/^WAITING +ACTIVE +STATUS +GROUP\n +3 +0 +waiting +acme\n/);
    expect(out).toContain('1 of 2 groups. --limit and --offset show more.');
    const rest = await chasqui('groups', 'mail', '--offset', '1');
    expect(rest.out).toContain('b o');
    expect(rest.out).not.toContain('\u001b');
    expect((await chasqui('inspect', 'mail')).out).toMatch(/waiting +4, .*, 4 in groups/);
    expect((await chasqui('inspect', 'mail', '--json')).json).toMatchObject({ waiting: 4, grouped: 4 });
  });

  it('of a queue that has none are a sentence', async () => {
    await using queue = new Queue('plain', { connection: redis.connection });
    await queue.add('send', 1);
    expect((await chasqui('groups', 'plain')).out).toBe('No group has waiting jobs, or is paused.\n');
    expect((await chasqui('groups', 'plain', '--status', 'paused')).out).toBe('No group is paused.\n');
    expect((await chasqui('groups', 'plain', '--status', 'odd')).code).toBe(2);
    expect((await chasqui('groups', 'nothing')).code).toBe(3);
  });

  it('show their defaults', async () => {
    await using queue = new Queue('mail', { connection: redis.connection });
    await queue.setGroupDefaults({ concurrency: 2, limit: { max: 10, duration: 1_000 } });
    expect((await chasqui('inspect', 'mail')).out).toMatch(
      /limits +each group: 2 jobs at once, 10 starts in 1s/,
    );
    const groups = { concurrency: 2, rate: { max: 10, duration: 1_000 }, strict: false };
    expect((await chasqui('inspect', 'mail', '--json')).json).toMatchObject({
      limits: { concurrency: null, rate: null, groups },
    });
    expect((await chasqui('groups', 'mail', '--json')).json).toMatchObject({ defaults: groups });
    await queue.setGroupDefaults({ strict: true });
    await queue.setGlobalConcurrency(7);
    expect((await chasqui('inspect', 'mail')).out).toMatch(
      /limits +7 jobs at once; each group: strictly one job after the other/,
    );
  });

  it('are paused and resumed one by one', async () => {
    const paused = await chasqui('pause', 'mail', '--group', HOSTILE, '--json');
    expect(paused.json).toEqual({
      queue: 'mail',
      group: HOSTILE,
      paused: true,
      changed: true,
      active: 0,
      waiting: 1,
    });
    expect((await chasqui('pause', 'mail', '--group', HOSTILE)).out).toContain('was paused already');
    expect((await chasqui('groups', 'mail', '--status', 'paused', '--json')).json).toMatchObject({
      total: 1,
      groups: [{ id: HOSTILE, status: 'paused' }],
    });
    expect((await chasqui('inspect', 'mail', '--json')).json).toMatchObject({ paused: false });
    const resumed = await chasqui('resume', 'mail', '--group', HOSTILE, '--json');
    expect(resumed.json).toEqual({
      queue: 'mail',
      group: HOSTILE,
      paused: false,
      changed: true,
      waiting: 1,
      status: 'waiting',
    });
    expect((await chasqui('resume', 'mail', '--group', 'acme')).out).toContain('was not paused');
  });

  it.each(['pause', 'resume', 'drain', 'jobs list'])(
    '%s refuses an empty id, and names the option',
    async (words) => {
      for (const id of ['', ' ', 'x'.repeat(257)]) {
        const { code, err } = await chasqui(
          ...words.split(' '),
          'mail',
          '--group',
          id,
          ...(words === 'drain' ? ['--yes'] : []),
        );
        expect(code).toBe(2);
        expect(err).toContain("option '--group <id>'");
        expect(err).toContain('It must be the id of a group: not blank, and at most 256 bytes.');
      }
      expect((await chasqui('groups', 'mail', '--json')).json).toMatchObject({ total: 2 });
    },
  );

  it('of a long id make no other line longer', async () => {
    await using queue = new Queue('mail', { connection: redis.connection });
    const long = 'x'.repeat(250);
    await queue.add('send', 1, { group: { id: long }, jobId: 'y'.repeat(250) });
    for (const words of [
      ['groups', 'mail'],
      ['jobs', 'list', 'mail'],
    ]) {
      const lines = (await chasqui(...words)).out.trimEnd().split('\n');
      expect(lines.filter((line) => line.length > 200)).toHaveLength(1);
      expect(lines.length).toBeGreaterThan(3);
    }
    expect((await chasqui('groups', 'mail')).out).toContain(long);
  });

  it('are found while they are paused and have no jobs', async () => {
    await chasqui('pause', 'mail', '--group', 'idle one');
    await chasqui('pause', 'mail', '--group', 'acme');
    const { out } = await chasqui('groups', 'mail');
    expect(out).toMatch(/\n +3 +0 +paused +acme\n.*\n +0 +0 +paused +idle one\n$/);
    for (const [offset, ids] of [
      ['0', ['acme', HOSTILE]],
      ['1', [HOSTILE, 'idle one']],
      ['2', ['idle one']],
      ['3', []],
    ] as const) {
      const page = await chasqui('groups', 'mail', '--limit', '2', '--offset', offset, '--json');
      expect(page.json).toMatchObject({ total: 3, pausedWithoutJobs: 1, groups: ids.map((id) => ({ id })) });
    }
    expect((await chasqui('groups', 'mail', '--status', 'paused', '--json')).json).toMatchObject({
      total: 2,
      pausedWithoutJobs: 1,
      groups: [
        { id: 'acme', waiting: 3 },
        { id: 'idle one', status: 'paused', waiting: 0, active: 0 },
      ],
    });
  });

  it('are drained one by one', async () => {
    await using queue = new Queue('mail', { connection: redis.connection });
    await queue.add('send', 1, { group: { id: 'acme' }, delay: 600_000 });
    const dry = await chasqui('drain', 'mail', '--group', 'acme', '--dry-run');
    expect(dry.out).toBe(
      '3 jobs of group "acme" of "mail" that wait would be removed. Nothing was changed.\n',
    );
    expect((await chasqui('drain', 'mail', '--group', 'acme', '--delayed', '--dry-run')).out).toContain(
      '3 jobs of group "acme" of "mail" that wait, and all that are delayed would be removed.',
    );
    const { json } = await chasqui('drain', 'mail', '--group', 'acme', '--yes', '--json');
    expect(json).toEqual({ queue: 'mail', group: 'acme', removed: 3 });
    expect((await chasqui('drain', 'mail', '--group', 'acme', '--delayed', '--yes')).out).toBe(
      'Removed 1 job.\n',
    );
    const hostile = await chasqui('drain', 'mail', '--group', HOSTILE, '--yes');
    expect(hostile.out).toBe('Removed 1 job.\n');
    expect(await queue.count()).toBe(0);
  });

  it('of an unknown id are not passed over in silence', async () => {
    const says =
      'Queue "mail" has no group "acne": no job of it waits or is active, and it has no limits and no pause of its own.';
    for (const words of ['drain --yes', 'resume']) {
      const { code, err, out } = await chasqui(...words.split(' '), 'mail', '--group', 'acne');
      expect([code, out]).toEqual([3, '']);
      expect(err).toContain(says);
      expect(err).toContain('Did you mean "acme"?');
    }
    const { code, err, out } = await chasqui('jobs', 'list', 'mail', '--group', 'acne', '--json');
    expect([code, out]).toEqual([3, '']);
    expect(JSON.parse(err)).toEqual({ error: { message: says, hint: 'Did you mean "acme"?' } });
    await using queue = new Queue('mail', { connection: redis.connection });
    await queue.setGroupConcurrency('quiet', 1);
    expect((await chasqui('drain', 'mail', '--group', 'quiet', '--yes')).out).toBe('Removed 0 jobs.\n');
  });

  it('drain --delayed finds out by itself whether an unknown id has delayed jobs', async () => {
    await using queue = new Queue('mail', { connection: redis.connection });
    await queue.add('send', 1, { group: { id: 'later' }, delay: 600_000 });
    const drain = (id: string) => chasqui('drain', 'mail', '--group', id, '--delayed', '--yes');
    expect((await drain('later')).out).toBe('Removed 1 job.\n');
    expect(await drain('later')).toMatchObject({
      code: 3,
      err: expect.stringContaining('no job of it waits, is active or is delayed') as string,
    });
  });

  it('are paused before their first job, with a note', async () => {
    const { code, err, json } = await chasqui('pause', 'mail', '--group', 'acne', '--json');
    expect([code, json]).toMatchObject([0, { group: 'acne', paused: true, changed: true }]);
    expect(err).toMatch(/has no group "acne": .* It is paused all the same\. Did you mean "acme"\?/);
    expect((await chasqui('pause', 'mail', '--group', 'acne')).err).toBe('');
  });

  it('filter the list of jobs', async () => {
    const { json } = await chasqui('jobs', 'list', 'mail', '--group', 'acme', '--limit', '2', '--json');
    expect(json).toMatchObject({
      group: 'acme',
      counts: { waiting: 3 },
      jobs: [
        { id: 'acme0', state: 'waiting' },
        { id: 'acme1', state: 'waiting' },
      ],
    });
    expect((await chasqui('jobs', 'list', 'mail', '--group', 'acme', '--limit', '2')).out).toContain(
      '2 of 3 jobs',
    );
    expect((await chasqui('jobs', 'list', 'mail', '--group', 'acme', '--state', 'failed')).code).toBe(2);
  });
});
