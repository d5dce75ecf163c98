import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { ChasquiBoardModule } from '../../lib/bull-board/index.js';
import { ChasquiModule, type Queue } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import {
  afterDialog,
  confirm,
  dialogOf,
  jobButtons,
  openDuplicate,
  PATIENCE,
  press,
  sees,
  shoot,
} from './support/pages.js';
import { useBoards, type BoardApp } from './support/boards.js';

// The buttons of single jobs and schedules, and the tabs of a job, as somebody clicks them.
const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

async function start(library: 'express' | 'fastify'): Promise<{ app: BoardApp; queue: Queue }> {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true });
  const app = await boards.start({ library, imports: [mail], root: { workers: false } });
  return { app, queue: app.queue('mail') };
}

describe.each(['express', 'fastify'] as const)('with %s', (library) => {
  test('reschedules a delayed job, duplicates it, promotes and removes it', async () => {
    const { app, queue } = await start(library);
    await queue.add('later', { n: 1 }, { jobId: 'later', delay: 600_000, attempts: 4 });
    const page = await browser.open(`${app.origin}/queues/queue/mail/later?status=delayed`);
    const dialog = dialogOf(page);
    await press(page, 'delayed', 'Reschedule');
    // The field has minutes, and the local time.
    const runAt = Math.floor((Date.now() + 86_400_000) / 60_000) * 60_000;
    const local = new Date(runAt - new Date(runAt).getTimezoneOffset() * 60_000);
    await dialog.locator('input').fill(local.toISOString().slice(0, 16));
    await shoot(page, 'reschedule');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect.poll(async () => (await queue.getJob('later'))?.delay, PATIENCE).toBeGreaterThan(600_000);
    const { timestamp, delay } = (await queue.getJob('later'))!;
    expect(Math.abs(timestamp + delay - runAt)).toBeLessThan(60_000);
    await afterDialog(page);

    await openDuplicate(page, 'delayed');
    await shoot(page, 'duplicate');
    await dialog.getByRole('button', { name: 'Duplicate' }).click();
    await expect.poll(() => queue.getDelayedCount(), PATIENCE).toBe(2);
    const [copy] = (await queue.getDelayed()).filter(({ id }) => id !== 'later');
    expect(copy).toMatchObject({ name: 'later', data: { n: 1 }, opts: { attempts: 4 } });
    await afterDialog(page);

    await press(page, 'delayed', 'Promote');
    await confirm(page);
    await expect.poll(async () => (await queue.getJob('later'))?.getState(), PATIENCE).toBe('waiting');
    // The page shows it as soon as it has heard of it: a waiting job has other buttons.
    await expect.poll(() => jobButtons(page).count(), PATIENCE).toBe(3);
    await press(page, 'waiting', 'Clean');
    await confirm(page);
    await expect.poll(() => queue.getJob('later'), PATIENCE).toBeUndefined();
  });

  test('shows each tab of a job that has ended, and retries it', async () => {
    const { app, queue } = await start(library);
    const worker = workers.start(async (job) => {
      await job.log('a row of the log');
      await job.updateProgress({ done: 'so far' });
      if (job.attemptsMade < 2) throw new Error('the first error');
      if (job.name === 'bad') throw new UnrecoverableError('the last error');
      return { sent: 'the result' };
    });
    const opts = { attempts: 3, backoff: { type: 'fixed', delay: 1 } };
    await queue.add('good', { to: 'the data' }, { ...opts, jobId: 'good' });
    await queue.add('bad', { to: 'the data' }, { ...opts, jobId: 'bad' });
    await expect
      .poll(() => queue.getJobCounts('completed', 'failed'), PATIENCE)
      .toEqual({ completed: 1, failed: 1 });
    await worker.close();
    const tab = async (page: Page, name: string, text: string): Promise<void> => {
      await page.getByRole('tab', { name }).click();
      await sees(page, text);
    };
    const page = await browser.open(`${app.origin}/queues/queue/mail/good?status=completed`);
    await tab(page, 'Data', 'the data');
    await sees(page, 'the result');
    await tab(page, 'Progress', 'so far');
    await tab(page, 'Options', 'backoff');
    await tab(page, 'Logs', 'a row of the log');
    await tab(page, 'Error', 'the first error');
    await page.goto(`${app.origin}/queues/queue/mail/bad?status=failed`);
    await tab(page, 'Error', 'the last error');
    await sees(page, 'the first error');
    await shoot(page, `tabs-${library}`);
    await press(page, 'failed', 'Retry');
    await confirm(page);
    await expect.poll(async () => (await queue.getJob('bad'))?.getState(), PATIENCE).toBe('waiting');
  });

  test('removes a schedule, and runs one now', async () => {
    const { app, queue } = await start(library);
    await queue.upsertJobScheduler('nightly', { pattern: '0 3 * * *' }, { name: 'report' });
    const page = await browser.open(`${app.origin}/queues/job-schedulers`);
    await page.getByRole('button', { name: 'Run now' }).click();
    await confirm(page);
    await expect.poll(() => queue.getWaitingCount(), PATIENCE).toBe(1);
    await page.getByRole('button', { name: /Remove|Delete/ }).click();
    await confirm(page);
    await expect.poll(() => queue.getJobSchedulersCount(), PATIENCE).toBe(0);
  });

  test('two boards in one application show their own queues, and one of them changes nothing', async () => {
    const app = await boards.start({
      library,
      imports: [
        ChasquiModule.forFeature('mail', 'orders'),
        ChasquiBoardModule.forRoot({ path: 'support', guard: false, queues: ['orders'], readOnly: true }),
      ],
      root: { workers: false },
      board: { guard: false, path: 'admin', queues: ['mail'] },
    });
    for (const name of ['mail', 'orders']) await app.queue(name).add(`of-${name}`, 1, { jobId: 'one' });
    for (const [board, shown, hidden, buttons] of [
      ['admin', 'mail', 'orders', 3],
      ['support', 'orders', 'mail', 0],
    ] as const) {
      const page = await browser.open(`${app.origin}/${board}`);
      await sees(page, shown);
      expect(await page.getByText(hidden, { exact: true }).count()).toBe(0);
      await page.goto(`${app.origin}/${board}/queue/${shown}/one?status=waiting`);
      await sees(page, `of-${shown}`);
      expect(await jobButtons(page).count()).toBe(buttons);
      await page.close();
    }
    expect((await app.call('GET', '/support/api/queues?activeQueue=mail')).body.queues).toHaveLength(1);
  });

  test('comes back by itself, again and again, when its Redis does', async () => {
    const { app, queue } = await start(library);
    await queue.add('before', 1);
    const page = await browser.open(`${app.origin}/queues/queue/mail?status=waiting`);
    await sees(page, 'before');
    for (const round of [1, 2]) {
      await redis.server.kill();
      await page.getByText('cannot be reached').first().waitFor({ timeout: 30_000 });
      await redis.server.restart();
      await queue.waitUntilReady();
      await queue.add(`after-${String(round)}`, 1);
      await page
        .getByText(`after-${String(round)}`)
        .first()
        .waitFor({ timeout: 30_000 });
      await page.getByText('cannot be reached').first().waitFor({ state: 'detached', timeout: 30_000 });
    }
  }, 120_000);
});

test('says what it does not find: a route, a job, a schedule; and that a time is too far away', async () => {
  const { app, queue } = await start('express');
  const told = async (method: string, path: string, body: unknown): Promise<unknown[]> => {
    const { status, body: answer } = await app.call(method, `/queues/api/queues/mail/${path}`, body);
    return [status, answer.error.key];
  };
  expect(await told('PUT', 'no-such-thing/x', {})).toEqual([404, 'Not found']);
  expect(await told('PUT', 'job-schedulers/x', {})).toEqual([404, 'Not found']);
  expect(await told('PUT', 'x/retry', {})).toEqual([404, 'ERRORS.JOB_NOT_FOUND']);
  expect(await told('PUT', 'job-schedulers/x/run', {})).toEqual([404, 'ERRORS.JOB_SCHEDULER_NOT_FOUND']);
  const rule = { every: 5_000 };
  expect(await told('PATCH', 'job-schedulers/x', rule)).toEqual([404, 'ERRORS.JOB_SCHEDULER_NOT_FOUND']);
  await queue.add('later', 1, { jobId: 'later', delay: 600_000 });
  const runAt = Date.now() + 20 * 366 * 86_400_000;
  expect(await told('PATCH', 'later/delay', { runAt })).toEqual([400, 'Not accepted']);
});

test('says what is wrong with a job or with a schedule, and changes nothing', async () => {
  const { app, queue } = await start('express');
  const told = async (method: string, path: string, body: unknown): Promise<unknown> => {
    const { status, body: answer } = await app.call(method, `/queues/api/queues/mail/${path}`, body);
    expect(status).toBe(400);
    return answer.message;
  };
  const add = (name: string, options: unknown): Promise<unknown> =>
    told('POST', 'add', { name, data: 1, options });
  expect(await add('a', { repeat: { every: 600_000 } })).toContain('The board adds no schedules.');
  // What the dialog sends for an empty name.
  expect(await add('__default__', {})).toContain('The job name is empty.');
  expect(await add('⟦no name⟧', {})).toContain('The job name is a note');
  await queue.upsertJobScheduler('nightly', { pattern: '0 3 * * *' });
  const rule = { pattern: '0 3 * * *', tz: 'Mars/X' };
  expect(await told('PATCH', 'job-schedulers/nightly', rule)).toContain('Mars/X');
  const wrong = await app.call('PATCH', '/queues/api/queues/mail/job-schedulers/nightly', { pattern: 'x' });
  expect(wrong.body.error.key).toBe('ERRORS.INVALID_SCHEDULER_PATTERN');
  expect(await queue.getJobSchedulersCount()).toBe(1);
  expect(await queue.getJobCounts('waiting', 'delayed')).toMatchObject({ waiting: 0, delayed: 0 });
});
