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
  await queue.upsertJobScheduler('digest', { pattern: '0 6 * * *', tz: 'Europe/Berlin' }, { name: 'digest' });
  await queue.upsertJobScheduler('sync\n', { every: 60_000, immediately: false }, { name: 'sync' });
});

describe('repeatable', () => {
  it('list shows patterns and the next run', async () => {
    const { out } = await chasqui('repeatable', 'list', 'mail');
    expect(out).toMatch(/digest +digest +0 6 \* \* \* Europe\/Berlin +in \d+/);
    expect(out).toMatch(/sync\\n +sync +every 1m +in [\d.]+m?s/);
    const { json } = await chasqui('repeatable', 'list', 'mail', '--json');
    expect(json).toEqual({
      queue: 'mail',
      total: 2,
      schedules: expect.arrayContaining([
        {
          id: 'digest',
          name: 'digest',
          pattern: '0 6 * * *',
          tz: 'Europe/Berlin',
          every: null,
          next: expect.stringMatching(/Z$/) as unknown,
          runs: 0,
          limit: null,
          paused: false,
          owner: null,
          priority: 0,
          lifo: false,
          group: null,
        },
      ]) as unknown,
    });
  });

  it('list shows the group and the priority of the jobs, if there are any', async () => {
    expect((await chasqui('repeatable', 'list', 'mail')).out).toMatch(/AT +SO FAR +OWNER\n/);
    await using queue = new Queue('mail', { connection: redis.connection });
    const opts = { group: { id: 'acme', priority: 2 } };
    await queue.upsertJobScheduler('report', { every: 60_000 }, { name: 'report', opts });
    const { out } = await chasqui('repeatable', 'list', 'mail');
    expect(out).toMatch(/AT +PRIORITY +GROUP +SO FAR +OWNER\n/);
    expect(out).toMatch(/report +report .*Z +2 +acme +\d/);
    expect(out).toMatch(/digest +digest .*Z +– +– +0/);
    const { json } = await chasqui('repeatable', 'list', 'mail', '--json', '--limit', '3');
    const { schedules } = json as { schedules: unknown[] };
    expect(schedules).toContainEqual(expect.objectContaining({ id: 'report', priority: 2, group: 'acme' }));
  });

  it('list of a queue without schedules says so', async () => {
    await chasqui('add', 'other', 'x', '--create');
    expect((await chasqui('repeatable', 'list', 'other')).out).toBe('There are no schedules.\n');
  });

  it('pause and resume say whether something changed', async () => {
    expect((await chasqui('repeatable', 'pause', 'mail', 'digest')).out).toBe(
      'Paused the schedule digest.\n',
    );
    expect((await chasqui('repeatable', 'list', 'mail')).out).toMatch(/digest +digest .* paused/);
    const again = await chasqui('repeatable', 'pause', 'mail', 'digest', '--json');
    expect(again.json).toEqual({ queue: 'mail', id: 'digest', paused: true, changed: false });
    const resumed = await chasqui('repeatable', 'resume', 'mail', 'digest', '--json');
    expect(resumed.json).toMatchObject({
      paused: false,
      changed: true,
      next: expect.stringMatching(/Z$/) as unknown,
    });
  });

  it('run adds a job now', async () => {
    const { json } = await chasqui('repeatable', 'run', 'mail', 'digest', '--json');
    expect(json).toMatchObject({
      queue: 'mail',
      id: 'digest',
      added: true,
      jobId: expect.any(String) as unknown,
    });
    expect(await redis.client.xlen('{chasqui:mail}:stream')).toBe(1);
  });

  it('remove asks first', async () => {
    expect((await chasqui('repeatable', 'remove', 'mail', 'digest')).code).toBe(4);
    const terminal = await terminals.chasqui('repeatable', 'remove', 'mail', 'digest');
    await terminal.until('Remove the schedule "digest" of "mail"? [y/N]');
    terminal.press('yes', 'enter');
    expect((await terminal.exit()).code).toBe(0);
    expect((await chasqui('repeatable', 'list', 'mail', '--json')).json).toMatchObject({ total: 1 });
  });

  it.each(['remove', 'run', 'pause', 'resume'])(
    '%s of an unknown schedule names the nearest',
    async (command) => {
      const { code, err } = await chasqui('repeatable', command, 'mail', 'dgest', '--yes');
      expect(code).toBe(3);
      expect(err).toBe('chasqui: CMQ-111: Queue "mail" has no schedule "dgest". Did you mean "digest"?\n');
    },
  );
});
