import type { Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { ChasquiModule, type Queue } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import {
  choose,
  confirm,
  dialogOf,
  jobButtons,
  openAddJob,
  press,
  sees,
  shoot,
  write,
} from './support/pages.js';
import { useBoards, type BoardApp } from './support/boards.js';

const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

/** Text that a page must show, and not run. */
const HTML = '<img src=x onerror="window.hacked = true">';
const ID = 'order/7 ü%';
/** As the board shows it. */
const SHOWN = 'order/7 ü％';

let app: BoardApp;
let queue: Queue;

beforeEach(async () => {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true }, 'orders', 'reports');
  app = await boards.start({
    imports: [mail],
    root: { workers: false },
    board: { guard: false, queues: ['mail', 'orders', { name: 'reports', readOnlyMode: true }] },
  });
  queue = app.queue('mail');
});

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

/** Jobs that have ended: ten completed ones and a dead letter. */
async function work(): Promise<void> {
  const worker = workers.start(
    async (job) => {
      await job.log(`row of ${HTML}`);
      await job.updateProgress(40);
      if (job.name === HTML) throw new UnrecoverableError(`550 no mailbox ${HTML}`);
      return { sent: true };
    },
    { metrics: { maxDataPoints: 60 } },
  );
  await queue.addBulk([...Array(10).keys()].map((n) => ({ name: 'welcome', data: { n } })));
  await queue.add(HTML, { to: HTML, photo: Buffer.from('abc') }, { jobId: ID });
  await vi.waitFor(async () => {
    expect(await queue.getJobCounts('completed', 'failed')).toMatchObject({ completed: 10, failed: 1 });
  }, 15_000);
  await worker.close();
}

const open = (path: string, options?: Parameters<typeof browser.open>[1]): Promise<Page> =>
  browser.open(`${app.origin}/queues${path}`, options);
const jobPage = `/queue/mail/${encodeURIComponent(SHOWN)}?status=failed`;
test('lists queues and jobs, pages through them, and finds a queue by its name', async () => {
  await work();
  await queue.addBulk([...Array(25).keys()].map((n) => ({ name: `job-${String(n)}`, data: n })));
  const page = await open('');
  await sees(page, 'orders');
  await sees(page, 'No workers');
  await page.locator('#search-queues').fill('ord');
  await vi.waitFor(async () => expect(await page.getByRole('link', { name: 'mail' }).count()).toBe(0));
  await page.goto(`${app.origin}/queues/queue/mail?status=waiting`);
  await sees(page, 'job-24');
  expect(await page.getByText('job-14').count()).toBe(0);
  await page.goto(`${app.origin}/queues/queue/mail?status=waiting&page=2`);
  await sees(page, 'job-14');
});

test('shows a dead letter with reason, attempts, data and log, and HTML as text; retries it', async () => {
  await work();
  const page = await open(jobPage);
  await sees(page, 'Dead letter, unrecoverable: 550 no mailbox <img');
  await sees(page, HTML);
  await page.getByRole('tab', { name: 'Data' }).click();
  await sees(page, 'Buffer, 3 bytes: 61 62 63');
  await page.getByRole('tab', { name: 'Logs' }).click();
  await sees(page, `row of ${HTML}`);
  expect(await page.evaluate('window.hacked')).toBeUndefined();
  await press(page, 'failed', 'Retry');
  await confirm(page);
  await vi.waitFor(async () => {
    expect(await queue.getJobCounts('waiting', 'failed')).toMatchObject({ waiting: 1, failed: 0 });
  }, 8_000);
});

test('removes a job', async () => {
  await queue.add('old', {}, { jobId: ID });
  const page = await open(jobPage);
  await press(page, 'waiting', 'Clean');
  await confirm(page);
  await vi.waitFor(async () => expect(await queue.getJob(ID)).toBeUndefined(), 8_000);
});

test('pauses and resumes', async () => {
  const page = await open('/queue/mail');
  for (const [item, isPaused] of [
    ['Pause', true],
    ['Resume', false],
  ] as const) {
    await choose(page, item);
    await confirm(page);
    await vi.waitFor(async () => expect(await queue.isPaused()).toBe(isPaused), 8_000);
  }
});

test('adds a job', async () => {
  const page = await open('/queue/mail');
  const dialog = await openAddJob(page);
  await dialog.getByRole('textbox').first().fill('by-hand');
  await dialog.getByRole('button', { name: /^Add/ }).click();
  await vi.waitFor(async () => {
    expect((await queue.getWaiting()).map(({ name }) => name)).toEqual(['by-hand']);
  }, 8_000);
});

test('edits data, and refuses to edit what it cannot show', async () => {
  await queue.add('plain', { n: 1 }, { jobId: ID });
  const page = await open(jobPage);
  await press(page, 'waiting', 'Update Data');
  const dialog = dialogOf(page);
  const edit = async (text: string): Promise<void> => {
    await write(page, dialog.locator('.cm-content').first(), text);
    await dialog.getByRole('button', { name: /Update|Save/ }).click();
  };
  await edit('{"n": 2}');
  await vi.waitFor(async () => expect((await queue.getJob(ID))?.data).toEqual({ n: 2 }), 8_000);
  await queue.remove(ID);
  await queue.add('bytes', { photo: Buffer.from('abc') }, { jobId: ID });
  await page.reload();
  await press(page, 'waiting', 'Update Data');
  await edit('{"photo": "gone"}');
  await sees(page, 'would lose a part of it');
  expect((await queue.getJob(ID))?.data).toEqual({ photo: Buffer.from('abc') });
});

test('shows schedules, runs one, and changes its rule', async () => {
  await queue.upsertJobScheduler(
    'nightly',
    { pattern: '0 3 * * *' },
    { name: 'report', data: { big: 2n ** 60n } },
  );
  const page = await open('/job-schedulers');
  await sees(page, 'nightly');
  await page.getByRole('button', { name: 'Run now' }).click();
  await confirm(page);
  await vi.waitFor(
    async () => expect((await queue.getWaiting()).map(({ name }) => name)).toEqual(['report']),
    8_000,
  );
  await page.getByRole('button', { name: 'Edit schedule' }).click();
  const dialog = dialogOf(page);
  const pattern = dialog.getByRole('textbox').first();
  await pattern.fill('30 4 * * *');
  await dialog.getByRole('button', { name: /Update|Save/ }).click();
  await vi.waitFor(async () => {
    const schedule = await queue.getJobScheduler('nightly');
    expect(schedule).toMatchObject({ pattern: '30 4 * * *', template: { data: { big: 2n ** 60n } } });
  }, 8_000);
});

test('offers no change of a read-only queue', async () => {
  await app.queue('reports').add('x', {}, { jobId: ID });
  const page = await open(`/queue/reports/${encodeURIComponent(SHOWN)}`);
  await sees(page, SHOWN);
  expect(await jobButtons(page).count()).toBe(0);
});

test('fits a phone and a dark screen', async () => {
  const letter = (job: { name: string }): never => {
    const error = new UnrecoverableError(`550 mailbox unavailable (${job.name})`);
    error.stack = `${String(error)}\n    at MailProcessor.send (/app/dist/mail/mail.processor.js:31:13)`;
    throw error;
  };
  const worker = workers.start(letter, { name: 'mail-1' });
  await queue.add('welcome', { to: 'ada@example.com', template: 'hello' }, { jobId: 'order-7' });
  await vi.waitFor(async () => expect(await queue.getFailedCount()).toBe(1), 15_000);
  await worker.close();
  for (const [name, options] of [
    ['light', {}],
    ['dark', { dark: true }],
    ['phone', { size: { width: 390, height: 844 } }],
  ] as const) {
    const page = await open('/queue/mail/order-7?status=failed', options);
    await sees(page, 'Dead letter, unrecoverable');
    const { width } = page.viewportSize()!;
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await shoot(page, `board-${name}`);
    await page.close();
  }
});
