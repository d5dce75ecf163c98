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
  dialogOf,
  isStill,
  openDuplicate,
  openSettings,
  PATIENCE,
  press,
  sees,
  shoot,
} from './support/pages.js';

// A queue with everything that gates one: priorities, groups, lifo, a global concurrency and a rate limit.
const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

/** In the page: what stands beside the names of jobs and is cut off. */
const CUT = `[...document.querySelectorAll('main [class*=groupPill]')]
  .filter((pill) => pill.getBoundingClientRect().right > pill.parentElement.getBoundingClientRect().right
    || pill.scrollWidth > pill.clientWidth)
  .map((pill) => pill.textContent)`;
const PHONE = { width: 390, height: 844 };

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

/** One of four starts is left, and then nothing starts for a minute. */
async function start(): Promise<{ app: BoardApp; queue: Queue; latch: Latch }> {
  const mail = ChasquiModule.forFeature({ name: 'mail' });
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  const queue = app.queue('mail');
  await queue.setGlobalConcurrency(2);
  await queue.setGlobalRateLimit(2, 60_000);
  for (const [n, id] of ['initech', 'acme', 'globex', 'acme', 'globex', 'acme'].entries()) {
    const group = { id, ...(n === 3 && { priority: 5 }) };
    await queue.add('invoice', { number: 1_000 + n }, { group, jobId: `inv-${String(1_000 + n)}` });
  }
  for (const priority of [1, 20, 3]) {
    await queue.add('welcome', { priority }, { priority, jobId: `mail-${String(priority)}` });
  }
  await queue.add('reset-password', {}, { lifo: true, jobId: 'reset' });
  await queue.add('reminder', {}, { group: { id: 'acme' }, delay: 600_000, jobId: 'reminder' });
  const latch = new Latch();
  workers.start(() => latch.opened, { concurrency: 10 });
  await expect.poll(() => queue.getActiveCount(), PATIENCE).toBe(2);
  return { app, queue, latch };
}

/** The jobs of the page from above: the id, and what stands beside it. */
async function jobs(page: Page): Promise<string[]> {
  const titles = await page.locator('main [class*=titleWithLink]').allInnerTexts();
  return titles.map((title) => title.replaceAll(/\s+/g, ' ').trim());
}
const tab = (page: Page, name: RegExp): Promise<void> =>
  page.locator('main').getByRole('link', { name }).first().click(PATIENCE);

test('shows groups, priorities, what limits let run, and lets more run', async () => {
  const { app, queue, latch } = await start();
  const page = await browser.open(`${app.origin}/queues/queue/mail`);
  await sees(page, /rate limited \d+s/);
  await openSettings(page);
  await page.getByRole('button', { name: 'Jobs', exact: true }).click(PATIENCE);
  await page.getByRole('switch', { name: 'Collapse job', exact: true }).click(PATIENCE);
  await afterDialog(page, 'Close');
  await tab(page, /^ACTIVE 2/);
  await expect
    .poll(() => jobs(page), PATIENCE)
    .toEqual(['mail-1 welcome priority 1', 'reset reset-password']);
  await tab(page, /^PRIORITIZED 2/);
  await expect
    .poll(() => jobs(page), PATIENCE)
    .toEqual(['mail-20 welcome priority 20', 'mail-3 welcome priority 3']);
  await tab(page, /^WAITING 6/);
  // Group by group; what runs last comes first.
  await expect
    .poll(() => jobs(page), PATIENCE)
    .toEqual([
      'inv-1000 invoice group: initech',
      'inv-1004 invoice group: globex',
      'inv-1002 invoice group: globex',
      'inv-1003 invoice group: acme priority 5',
      'inv-1005 invoice group: acme',
      'inv-1001 invoice group: acme',
    ]);
  await shoot(page, 'board-groups');
  await page.setViewportSize(PHONE);
  await isStill(page);
  // Nothing beside a name is cut off: neither by the window nor by the buttons.
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width);
  expect(await page.evaluate(CUT)).toEqual([]);
  await shoot(page, 'board-groups-phone');

  const duplicate = await openDuplicate(page, 'waiting');
  // The page checks the options this long after they have come: a person is slower than that.
  await page.waitForTimeout(1_000);
  await duplicate.getByRole('button', { name: 'Duplicate' }).click(PATIENCE);
  await expect.poll(() => queue.getGroupJobsCount('initech'), PATIENCE).toBe(2);
  await afterDialog(page);
  await page.getByRole('link', { name: /^DELAYED 1/ }).click(PATIENCE);
  await press(page, 'delayed', 'Promote');
  await confirm(page);
  await expect.poll(() => queue.getGroupJobsCount('acme'), PATIENCE).toBe(4);

  await choose(page, 'Set concurrency');
  const concurrency = dialogOf(page).locator('input');
  expect(await concurrency.inputValue()).toBe('2');
  await concurrency.fill('3');
  await dialogOf(page).getByRole('button', { name: 'Save' }).click(PATIENCE);
  await afterDialog(page);
  await page.getByRole('button', { name: /A worker rate limited this queue/ }).click(PATIENCE);
  await confirm(page);
  await tab(page, /^ACTIVE 3/);
  await expect.poll(() => jobs(page), PATIENCE).toHaveLength(3);
  await page.locator('main [class*=jobLink]').first().click(PATIENCE);
  await page.getByRole('tab', { name: 'Options' }).click(PATIENCE);
  await shoot(page, 'gated-job-phone');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width);
  latch.open();
}, 60_000);
