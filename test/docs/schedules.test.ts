import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Queue, type Job } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/schedules.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('reports', { connection: redis.connection });
});
afterEach(() => queue.close());

describe('schedules', () => {
  const morning = block<{ declareSchedules(reports: Queue): Promise<void> }>('Every morning at eight');
  const minutes = block<{ declarePoll(feeds: Queue): Promise<void> }>('Every ten minutes');
  const remove = block<{ stopAll(reports: Queue): Promise<void> }>('Change one, list them, remove one');

  it('every morning at eight, declared by each replica', async () => {
    const { declareSchedules } = await morning();
    const add = vi.spyOn(queue, 'add');
    await declareSchedules(queue);
    const before = await queue.getRepeatableJobs();
    await declareSchedules(queue);
    expect(await queue.getRepeatableJobs()).toEqual(before);
    // As the page says.
    const returned = await Promise.all(add.mock.results.map(({ value }) => value as Promise<Job>));
    expect(returned.map(({ id, duplicate }) => [id, duplicate])).toEqual([
      ['digest::cron:0 8 * * *:Europe/Madrid', false],
      ['digest::cron:0 8 * * *:Europe/Madrid', true],
    ]);
    const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: 'Europe/Madrid' });
    expect(time.format(before[0]?.nextFireMs)).toBe('08:00:00');
  });

  it('every ten minutes, the first after one interval', async () => {
    const { declarePoll } = await minutes();
    const [secs, micros] = (await redis.client.time()).map(Number);
    const now = Number(secs) * 1_000 + Number(micros) / 1_000;
    await declarePoll(queue);
    const [poll] = await queue.getRepeatableJobs();
    expect(poll?.every).toBe(600_000);
    expect((poll?.nextFireMs ?? 0) - now).toBeGreaterThanOrEqual(599_000);
    expect((poll?.nextFireMs ?? 0) - now).toBeLessThan(660_000);
  });

  it('by an id: the returned job is the next run', async () => {
    const { declareDigest } = await block<{ declareDigest(reports: Queue): Promise<Job> }>(
      'A schedule by its id',
    )();
    const job = await declareDigest(queue);
    const scheduler = await queue.getJobScheduler('digest');
    expect(scheduler).toMatchObject({
      pattern: '0 8 * * *',
      template: { data: { to: 'all' }, opts: { attempts: 5, timeoutMs: 60_000 } },
    });
    expect(job).toMatchObject({ id: `repeat:digest:${scheduler?.next}`, duplicate: false });
    expect(await declareDigest(queue)).toMatchObject({ id: job.id, duplicate: true });
  });

  it('are paused, resumed and run now', async () => {
    const { maintain } = await block<{
      maintain(reports: Queue, repair: () => Promise<void>): Promise<void>;
    }>('Pause one, resume it, run it now')();
    await queue.upsertJobScheduler('digest', { every: 60_000 });
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await maintain(queue, async () => {
      expect(await queue.getJobScheduler('digest')).toMatchObject({ paused: true });
    });
    expect(await queue.getJobScheduler('digest')).toMatchObject({ paused: false });
    expect(log).toHaveBeenCalledWith(expect.stringMatching(/^repeat:digest:now:\d+-\w{6}$/), false);
  });

  it('are listed and removed', async () => {
    await (await morning()).declareSchedules(queue);
    await (await minutes()).declarePoll(queue);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await (await remove()).stopAll(queue);
    expect(log.mock.calls).toHaveLength(2);
    expect(log).toHaveBeenCalledWith('digest::cron:0 8 * * *:Europe/Madrid', expect.any(Date), 0);
    expect(await queue.getRepeatableJobs()).toEqual([]);
  });
});
