import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { temporaryFolder } from './support/folder.js';
import { usePipes } from './support/piped.js';

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));
const folder = temporaryFolder();

/** What a worker receives. */
async function nextJob(): Promise<{ name: string; data: unknown; attempts: unknown }> {
  let worker: Worker | undefined;
  const job = await new Promise<{ name: string; data: unknown; attempts: unknown }>((resolve) => {
    worker = new Worker(
      'mail',
      ({ name, data, opts }) => {
        resolve({ name, data, attempts: opts.attempts });
      },
      { connection: redis.connection },
    );
  });
  await worker?.close();
  return job;
}

describe('add', () => {
  it('prints the id; the data reaches a worker', async () => {
    const { code, out } = await chasqui(
      'add',
      'mail',
      'welcome',
      '{"to":"ada"}',
      '--create',
      '--attempts',
      '7',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^[0-9A-Z]{26}\n$/);
    expect(await nextJob()).toEqual({ name: 'welcome', data: { to: 'ada' }, attempts: 7 });
  });

  it('reads the data from stdin and from a file; without data it is null', async () => {
    await chasqui('add', 'mail', 'a', '-', '--create', { input: '[1,2]' });
    expect(await nextJob()).toMatchObject({ data: [1, 2] });
    const file = join(folder(), 'data.json');
    writeFileSync(file, '{"from":"file"}');
    await chasqui('add', 'mail', 'a', `@${file}`);
    expect(await nextJob()).toMatchObject({ data: { from: 'file' } });
    await chasqui('add', 'mail', 'a');
    expect(await nextJob()).toMatchObject({ data: null });
  });

  it('--dedup-id: one job per deduplication id; --dedup-ttl says for how long', async () => {
    const args = ['add', 'mail', 'a', '1', '--create', '--dedup-id', 'house'];
    const first = (await chasqui(...args, '--dedup-ttl', '2h', '--json')).json as { id: string };
    expect(await redis.client.pttl('{chasqui:mail}:dedup:house')).toBeGreaterThan(7_000_000);
    expect((await chasqui(...args)).out).toBe(`${first.id} has this deduplication id. Nothing was added.\n`);
    expect((await chasqui(...args, '--json')).json).toMatchObject({ id: first.id, duplicate: true });
    const alone = await chasqui('add', 'mail', 'a', '1', '--dedup-ttl', '2h');
    expect([alone.code, alone.err]).toEqual([2, expect.stringContaining('--dedup-ttl needs --dedup-id')]);
  });

  it('--job-id: one live job per id; --delay says when it runs', async () => {
    const args = ['add', 'mail', 'a', '1', '--create', '--job-id', 'one', '--delay', '2h'];
    const first = (await chasqui(...args, '--json')).json as { runsAt: string };
    expect(first).toMatchObject({ queue: 'mail', id: 'one', name: 'a', duplicate: false });
    expect(Math.abs(Date.parse(first.runsAt) - Date.now() - 7_200_000)).toBeLessThan(60_000);
    expect((await chasqui(...args)).out).toBe('one is a live job already. Nothing was added.\n');
    await using queue = new Queue('mail', { connection: redis.connection });
    expect(await queue.getDelayedCount()).toBe(1);
  });

  it('an unknown queue needs --create', async () => {
    const { code, err } = await chasqui('add', 'mial', 'a');
    expect(code).toBe(3);
    expect(err).toContain('CMQ-110');
    expect(await redis.client.dbsize()).toBe(0);
  });

  it.each([
    [['a', '{to:1}'], 2, /data is not JSON.*A text needs its quotes/],
    [['a', '@/nowhere'], 2, /cannot be read \(ENOENT\)/],
    [['a', '1', '--delay', 'soon'], 2, /--delay.*500ms, 30s, 15m/],
    [['a', '1', '--attempts', '0'], 2, /--attempts.*at least 1/],
    [['a', '1', '--job-id', ' '], 2, /CMQ-004/],
    [['x'.repeat(300), '1'], 2, /CMQ-004/],
  ])('add mail %j is refused', async (args, exit, message) => {
    const { code, err } = await chasqui('add', 'mail', ...args, '--create');
    expect(code).toBe(exit);
    expect(err).toMatch(message);
    expect(await redis.client.dbsize()).toBe(0);
  });
});
