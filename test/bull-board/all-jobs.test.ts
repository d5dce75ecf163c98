import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { ChasquiModule, type Queue } from '../../lib/index.js';
import { Latch } from '../redis/contract/kit.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import { useBoards, type BoardApp } from './support/boards.js';
import {
  afterDialog,
  choose,
  confirm,
  openAddJob,
  openSettings,
  PATIENCE,
  press,
  sees,
  shoot,
  write,
} from './support/pages.js';

// What concerns many jobs at once, as somebody clicks it: all jobs of a state, all queues, the settings, pages and filters.
const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

/** Clean all leaves what has been in its state for less than this, in ms. */
const GRACE_MS = 5_000;

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

async function start(): Promise<{ app: BoardApp; mail: Queue; orders: Queue }> {
  const queues = ChasquiModule.forFeature(
    { name: 'mail', trackJobs: true },
    { name: 'orders', trackJobs: true },
  );
  const app = await boards.start({ imports: [queues], root: { workers: false } });
  return { app, mail: app.queue('mail'), orders: app.queue('orders') };
}

/** Adds jobs that complete and jobs that fail, and runs them. */
async function run(
  queue: Queue,
  { completed, failed }: { completed: number; failed: number },
): Promise<void> {
  const worker = workers.start(
    async (job) => {
      for (const row of ['info: connected', 'warn: slow answer', 'info: done']) await job.log(row);
      if (job.name === 'fails') throw new Error('no');
    },
    {},
    queue.name,
  );
  await queue.addBulk([
    ...[...Array(completed).keys()].map((n) => ({
      name: 'good',
      data: n,
      opts: { jobId: `good-${String(n)}` },
    })),
    ...[...Array(failed).keys()].map((n) => ({
      name: 'fails',
      data: n,
      opts: { attempts: 1, jobId: `bad-${String(n)}` },
    })),
  ]);
  await expect
    .poll(() => queue.getJobCounts('completed', 'failed'), PATIENCE)
    .toMatchObject({ completed, failed });
  await worker.close();
}

/** The ids of the jobs of the page, from above. */
const ids = async (page: Page): Promise<string[]> => page.locator('main [class*=jobId]').allInnerTexts();
const counts = (queue: Queue) =>
  queue.getJobCounts('waiting', 'prioritized', 'delayed', 'completed', 'failed');
const tab = (page: Page, name: RegExp): Promise<void> =>
  page.locator('main').getByRole('link', { name }).first().click(PATIENCE);
const click = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click(PATIENCE);

test('settings stay; queues are sorted; all queues are paused, resumed, and their dead letters retried', async () => {
  const { app, mail, orders } = await start();
  await run(mail, { completed: 3, failed: 2 });
  await run(orders, { completed: 0, failed: 1 });
  const page = await browser.open(`${app.origin}/queues`);
  await sees(page, 'orders');
  const menu = async (item: string | RegExp): Promise<void> => {
    await page.locator('main button[aria-haspopup=menu]').first().click(PATIENCE);
    await page.getByRole('menuitem', { name: item }).click(PATIENCE);
  };
  await menu('Pause all');
  await confirm(page);
  await expect.poll(() => Promise.all([mail.isPaused(), orders.isPaused()]), PATIENCE).toEqual([true, true]);
  await page.getByText('Paused ]').nth(1).waitFor(PATIENCE);

  await openSettings(page);
  await page.getByRole('combobox', { name: 'Theme' }).click(PATIENCE);
  await page.getByRole('option', { name: 'Dark' }).click(PATIENCE);
  await click(page, 'Queues');
  await page.getByRole('switch', { name: 'Confirm queue actions' }).click(PATIENCE);
  await click(page, 'Jobs');
  await page.getByRole('spinbutton', { name: /^Jobs per page/ }).fill('2');
  await shoot(page, 'settings');
  await afterDialog(page, 'Close');
  await menu('Resume all');
  await expect
    .poll(() => Promise.all([mail.isPaused(), orders.isPaused()]), PATIENCE)
    .toEqual([false, false]);

  const cards = page.locator('main [class*=queueCard] a[class*=link]');
  expect(await cards.allInnerTexts()).toEqual(['mail', 'orders']);
  const sort = async (by: string): Promise<void> => {
    await menu('Sort by');
    await page.getByRole('menuitem', { name: by, exact: true }).click(PATIENCE);
  };
  await sort('Failed Jobs');
  await expect.poll(() => cards.allInnerTexts(), PATIENCE).toEqual(['orders', 'mail']);
  await menu(/Retry 3 failed jobs in all queues/);
  await expect.poll(() => counts(mail), PATIENCE).toMatchObject({ waiting: 2, completed: 3, failed: 0 });
  await expect.poll(() => counts(orders), PATIENCE).toMatchObject({ waiting: 1, failed: 0 });
  await sees(page, '3 failed jobs in 2 queues were sent back to their queues');
  await page.reload();
  await sees(page, 'orders');
  expect(await page.evaluate('document.body.className')).toContain('dark-mode');
  await cards.filter({ hasText: 'mail' }).click(PATIENCE);
  await tab(page, /^COMPLETED 3/);
  await expect.poll(() => ids(page), PATIENCE).toHaveLength(2);
  await page.getByRole('link', { name: 'Page 2' }).waitFor(PATIENCE);
}, 60_000);

test('all jobs of a state are retried, promoted and cleaned, page by page; logs are filtered', async () => {
  const { app, mail, orders } = await start();
  const FAILED = 12;
  await orders.addBulk([1, 2].map((data) => ({ name: 'later', data, opts: { delay: 600_000 } })));
  await run(orders, { completed: 2, failed: 2 });
  const ended = performance.now();
  await run(mail, { completed: 2, failed: FAILED });
  await mail.addBulk([1, 2, 3].map((data) => ({ name: 'later', data, opts: { delay: 600_000 } })));
  const page = await browser.open(`${app.origin}/queues/queue/mail/good-0?status=completed`);
  await page.getByRole('tab', { name: 'Logs' }).click(PATIENCE);
  const rows = page.getByRole('tabpanel').locator('pre li');
  await rows.nth(2).waitFor(PATIENCE);
  await page.getByPlaceholder('Filters').fill('WARN|done');
  await expect.poll(() => rows.allInnerTexts(), PATIENCE).toEqual(['warn: slow answer', 'info: done']);
  await press(page, 'completed', 'Retry');
  await confirm(page);
  await expect.poll(() => counts(mail), PATIENCE).toMatchObject({ waiting: 1, completed: 1 });

  await page.locator('main').getByRole('link', { name: 'mail' }).click(PATIENCE);
  await tab(page, /^FAILED/);
  const page1 = await mail.getFailed(0, 9);
  await expect.poll(() => ids(page), PATIENCE).toEqual(page1.map(({ id }) => id));
  await page.getByRole('button', { name: 'Next page' }).click(PATIENCE);
  await expect.poll(() => ids(page), PATIENCE).toEqual((await mail.getFailed(10, 19)).map(({ id }) => id));
  await page.getByRole('link', { name: 'Page 1' }).click(PATIENCE);
  await expect.poll(() => ids(page), PATIENCE).toEqual(page1.map(({ id }) => id));
  await click(page, 'Retry all');
  await confirm(page);
  await sees(page, 'All failed jobs were sent back to the queue');
  expect(await counts(mail)).toMatchObject({ waiting: FAILED + 1, failed: 0, delayed: 3 });
  await tab(page, /^COMPLETED/);
  await click(page, 'Retry all');
  await confirm(page);
  await sees(page, 'All completed jobs were sent back to the queue');
  expect(await counts(mail)).toMatchObject({ waiting: FAILED + 2, completed: 0 });
  await tab(page, /^DELAYED/);
  await click(page, 'Promote all');
  await confirm(page);
  await expect.poll(() => counts(mail), PATIENCE).toMatchObject({ waiting: FAILED + 5, delayed: 0 });

  await page.getByRole('link', { name: 'orders' }).click(PATIENCE);
  await delay(Math.max(0, GRACE_MS + 100 - (performance.now() - ended)));
  for (const state of ['COMPLETED', 'FAILED', 'DELAYED']) {
    await tab(page, new RegExp(`^${state} 2`));
    await click(page, 'Clean all');
    await confirm(page);
    await expect.poll(async () => (await counts(orders))[state.toLowerCase()], PATIENCE).toBe(0);
  }
}, 60_000);

test('a job is added with options; the queue is emptied, and obliterated with force', async () => {
  const { app, mail } = await start();
  const latch = new Latch();
  const worker = workers.start(() => latch.opened);
  await mail.add('runs', 1);
  await expect.poll(() => mail.getActiveCount()).toBe(1);
  await mail.pause();
  await mail.add('waits', 1);
  await mail.add('later', 1, { delay: 600_000 });
  const page = await browser.open(`${app.origin}/queues/queue/mail`);
  const add = async (name: string, options: string): Promise<void> => {
    const dialog = await openAddJob(page);
    await dialog.getByRole('textbox', { name: 'Job name' }).fill(name);
    const editors = dialog.locator('.cm-content');
    await write(page, editors.nth(0), `{"to": "${name}"}`);
    await write(page, editors.nth(1), options);
    await dialog.getByRole('button', { name: 'Add', exact: true }).click(PATIENCE);
  };
  await add('urgent', '{"priority": 3, "attempts": 7, "jobId": "urgent"}');
  await expect
    .poll(() => mail.getJob('urgent'), PATIENCE)
    .toMatchObject({
      data: { to: 'urgent' },
      priority: 3,
      opts: { attempts: 7 },
    });
  await afterDialog(page);
  await add('far', '{"delay": 500000, "group": {"id": "acme"}, "jobId": "far"}');
  await expect.poll(async () => (await mail.getJob('far'))?.getState(), PATIENCE).toBe('delayed');
  await afterDialog(page);
  await add('wrong', '{"delay": -5}');
  await sees(page, 'Not accepted');
  await shoot(page, 'add-refused');
  await afterDialog(page);

  await choose(page, 'Empty');
  await confirm(page);
  await expect.poll(() => counts(mail), PATIENCE).toMatchObject({ waiting: 0, prioritized: 0, delayed: 2 });
  await choose(page, 'Obliterate');
  await confirm(page);
  await sees(page, 'Queue has active jobs');
  await shoot(page, 'obliterate-active');
  await choose(page, 'Obliterate');
  await page.getByRole('checkbox', { name: 'Force obliterate' }).click(PATIENCE);
  await confirm(page);
  await expect
    .poll(() => mail.getJobCounts('active', 'delayed'), PATIENCE)
    .toMatchObject({ active: 0, delayed: 0 });
  await sees(page, 'No latest jobs in this queue');
  latch.open();
  await worker.close();
}, 60_000);
