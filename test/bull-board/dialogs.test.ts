import type { Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChasquiModule, type Queue } from '../../lib/index.js';
import { Latch } from '../redis/contract/kit.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import { afterDialog, choose, confirm, dialogOf, press, sees, shoot } from './support/pages.js';
import { useBoards, type BoardApp } from './support/boards.js';

const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

let app: BoardApp;
let queue: Queue;

beforeEach(async () => {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true });
  app = await boards.start({ imports: [mail], root: { workers: false } });
  queue = app.queue('mail');
});

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

const open = (path: string): Promise<Page> => browser.open(`${app.origin}/queues${path}`);
/** Fills the fields of the dialog in their order, and saves. */
async function fill(page: Page, ...values: readonly string[]): Promise<void> {
  const dialog = dialogOf(page);
  const fields = dialog.locator('input');
  for (const [index, value] of values.entries()) await fields.nth(index).fill(value);
  await dialog.getByRole('button', { name: 'Save' }).click();
}

test('sets and removes the global concurrency', async () => {
  const page = await open('/queue/mail');
  await choose(page, 'Set concurrency');
  await shoot(page, 'dialog-concurrency');
  await fill(page, '3');
  await expect.poll(() => queue.getGlobalConcurrency()).toBe(3);
  await afterDialog(page);
  await choose(page, 'Set concurrency');
  await fill(page, '0');
  await expect.poll(() => queue.getGlobalConcurrency()).toBeNull();
});

test('sets a rate limit, shows that it holds back jobs, and releases it; says what is wrong with a value', async () => {
  const page = await open('/queue/mail');
  await choose(page, 'Set rate limit');
  await fill(page, '1', '999999999999');
  await sees(page, 'at most 2592000000');
  await sees(page, 'Not accepted');
  await shoot(page, 'dialog-rate-limit-refused');
  await afterDialog(page);
  await choose(page, 'Set rate limit');
  await fill(page, '2', '60000');
  await expect.poll(() => queue.getGlobalRateLimit()).toEqual({ max: 2, duration: 60_000 });
  await queue.rateLimit(300_000);
  await sees(page, /rate limited \d+s/);
  await shoot(page, 'rate-limited');
  await page.getByRole('button', { name: /A worker rate limited this queue/ }).click();
  await confirm(page);
  await expect.poll(() => queue.getRateLimitTtl()).toBe(-2);
}, 60_000);

test('changes the priority of a job, and says why that of one that has started stays', async () => {
  await queue.add('late', 1, { jobId: 'late', priority: 3 });
  const page = await open('/queue/mail/late?status=prioritized');
  await press(page, 'prioritized', 'Change priority');
  await fill(page, '7');
  await expect.poll(async () => (await queue.getJob('late'))?.priority).toBe(7);
  await sees(page, 'priority 7');
  await shoot(page, 'priority');
  await afterDialog(page);
  // The page does not hear of the start: it would offer no priority any more.
  await page.route('**/api/**', async (route) => {
    if (route.request().method() !== 'GET') await route.continue();
  });
  const latch = new Latch();
  const worker = workers.start(() => latch.opened);
  await expect.poll(() => queue.getActiveCount()).toBe(1);
  await press(page, 'prioritized', 'Change priority');
  await fill(page, '9');
  await sees(page, 'is active');
  await sees(page, 'Not possible now');
  await shoot(page, 'priority-refused');
  latch.open();
  await worker.close();
}, 60_000);

test('obliterates only a paused queue, and says so', async () => {
  await queue.add('a', 1);
  const page = await open('/queue/mail');
  const obliterate = async (): Promise<void> => {
    await choose(page, 'Obliterate');
    await confirm(page);
  };
  await obliterate();
  await sees(page, 'Queue must be paused before obliteration');
  await shoot(page, 'obliterate-refused');
  await queue.pause();
  await obliterate();
  await expect.poll(() => queue.count()).toBe(0);
}, 60_000);

test('shows the history of metrics', async () => {
  const worker = workers.start(
    ({ name }) => (name === 'a' ? Promise.resolve() : Promise.reject(new Error('no'))),
    { metrics: { maxDataPoints: 10_080 } },
  );
  await queue.addBulk(
    [...Array(30).keys()].map((n) => ({ name: n < 25 ? 'a' : 'b', data: n, opts: { attempts: 1 } })),
  );
  await expect.poll(() => queue.getJobCountByTypes('completed', 'failed'), { timeout: 10_000 }).toBe(30);
  await worker.close();
  const page = await open('/metrics-history');
  await sees(page, 'Completed total');
  await expect.poll(() => page.innerText('body'), { timeout: 10_000 }).toContain('25');
  await shoot(page, 'metrics-history');
}, 60_000);
