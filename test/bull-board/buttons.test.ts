import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { ChasquiBoardModule } from '../../lib/bull-board/index.js';
import { ChasquiModule, Worker, type Queue } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { shoot } from './support/pages.js';
import { useBoards, type BoardApp } from './support/boards.js';

// The buttons of single jobs and schedules, and the tabs of a job, as somebody clicks them.
const redis = useRedis();
const boards = useBoards(redis);
const browser = useBrowser();
const PATIENCE = { timeout: 10_000 };

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

async function start(library: 'express' | 'fastify'): Promise<{ app: BoardApp; queue: Queue }> {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true });
  const app = await boards.start({ library, imports: [mail], root: { workers: false } });
  return { app, queue: app.queue('mail') };
}

const sees = (page: Page, text: string | RegExp): Promise<void> =>
  page.getByText(text).first().waitFor(PATIENCE);

/** Clicks one of the buttons of a job, from the left. */
async function click(page: Page, index: number): Promise<void> {
  await page.locator('ul[class*=jobActions] button').nth(index).click();
}

const confirm = (page: Page): Promise<void> => page.getByRole('button', { name: 'Confirm' }).click();

describe.each(['express', 'fastify'] as const)('with %s', (library) => {
  test('shows each tab of a job that has ended, and retries it', async () => {
    const { app, queue } = await start(library);
    const worker = new Worker(
      'mail',
      async (job) => {
        await job.log('a row of the log');
        await job.updateProgress({ done: 'so far' });
        if (job.attemptsMade < 2) throw new Error('the first error');
        if (job.name === 'bad') throw new UnrecoverableError('the last error');
        return { sent: 'the result' };
      },
      { connection: redis.connection },
    );
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
    await click(page, 0);
    await confirm(page);
    await expect.poll(async () => (await queue.getJob('bad'))?.getState(), PATIENCE).toBe('waiting');
    await page.close();
  });

  test('removes a schedule, and runs one now', async () => {
    const { app, queue } = await start(library);
    await queue.upsertJobScheduler('nightly', { pattern: '0 3 * * *' }, { name: 'report' });
    const page = await browser.open(`${app.origin}/queues/job-schedulers`);
    await page.getByRole('button', { name: 'Run now' }).click();
    await page
      .getByRole('button', { name: 'Confirm' })
      .click({ timeout: 2_000 })
      .catch(() => undefined);
    await expect.poll(() => queue.getWaitingCount(), PATIENCE).toBe(1);
    await page.getByRole('button', { name: /Remove|Delete/ }).click();
    await confirm(page);
    await expect.poll(() => queue.getJobSchedulersCount(), PATIENCE).toBe(0);
    await page.close();
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
      expect(await page.locator('ul[class*=jobActions] button').count()).toBe(buttons);
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
    await page.close();
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
