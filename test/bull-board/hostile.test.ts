import { Injectable, UnauthorizedException, VersioningType, type CanActivate } from '@nestjs/common';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ChasquiModule, UnrecoverableError, type Queue } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import { shoot } from './support/pages.js';
import { QUICK, useBoards, type BoardApp } from './support/boards.js';

const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

/** Text that a page must show, and not run. */
const html = (where: string): string =>
  `<img src=x onerror="window.hacked = '${where}'"><script>window.hacked = 1</script>`;
const LONG = 10_240;
const PHONE = { size: { width: 390, height: 844 } };

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

async function start(): Promise<{ app: BoardApp; queue: Queue }> {
  const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true });
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  return { app, queue: app.queue('mail') };
}

const sees = (page: Page, text: string): Promise<void> =>
  vi.waitFor(async () => expect(await page.innerText('body')).toContain(text), 8_000);

/** Nothing of the data has run, and the page is not wider than its window. */
async function isIntact(page: Page): Promise<void> {
  expect(await page.evaluate('window.hacked')).toBeUndefined();
  expect(await page.locator('img[src=x]').count()).toBe(0);
  const { width } = page.viewportSize()!;
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
}

async function fail(queue: Queue, message: string): Promise<void> {
  const worker = workers.start(
    async (job) => {
      await job.log(html('log'));
      await job.updateProgress({ note: html('progress') });
      throw new UnrecoverableError(message);
    },
    { name: html('worker') },
  );
  await vi.waitFor(async () => expect(await queue.getFailedCount()).toBe(1), 15_000);
  await worker.close();
}

test('HTML in a name, id, group, error, log line, progress, worker and schedule is text', async () => {
  const { app, queue } = await start();
  const id = html('id');
  await queue.add(html('name'), { [html('key')]: html('data') }, { jobId: id, attempts: 1 });
  await fail(queue, html('error'));
  await queue.add(html('name'), 1, {
    group: { id: html('group') },
    deduplication: { id: html('deduplication') },
  });
  await queue.upsertJobScheduler(html('schedule'), { every: 60_000_000 }, { name: html('scheduled') });
  const page = await browser.open(`${app.origin}/queues/queue/mail`);
  for (const where of ['id', 'name', 'error', 'group', 'deduplication']) await sees(page, html(where));
  await isIntact(page);
  await shoot(page, 'html-list');
  await page.goto(`${app.origin}/queues/queue/mail/${encodeURIComponent(id)}?status=failed`);
  await sees(page, html('error'));
  for (const [tab, where] of [
    ['Data', 'data'],
    ['Progress', 'progress'],
    ['Logs', 'log'],
    ['Options', 'worker'],
  ] as const) {
    const button = page.getByRole('tab', { name: tab });
    if ((await button.count()) === 0) continue;
    await button.click();
    if (tab !== 'Options') await sees(page, html(where).slice(0, 30));
    await isIntact(page);
  }
  await shoot(page, 'html-job');
  await page.goto(`${app.origin}/queues/job-schedulers`);
  await sees(page, html('schedule'));
  await sees(page, html('scheduled'));
  await isIntact(page);
  await shoot(page, 'html-schedulers');
}, 60_000);

test('data of a megabyte, binary data, and bytes that cannot be decoded', async () => {
  const { app, queue } = await start();
  await queue.add('megabyte', { text: 'x'.repeat(1_000_000) }, { jobId: 'megabyte' });
  await queue.add('binary', Buffer.alloc(1_000_000, 7), { jobId: 'binary' });
  await redis.client.xadd(queue.keys.stream, '*', 'd', Buffer.from([0xff, 0, 0xc1, 1]), 'n', 'undecodable');
  const page = await browser.open(`${app.origin}/queues/queue/mail?status=waiting`);
  for (const text of ['megabyte', 'binary', 'undecodable']) await sees(page, text);
  await sees(page, 'these bytes cannot be decoded');
  await isIntact(page);
  await shoot(page, 'large-list');
  for (const [id, text] of [
    ['megabyte', 'more characters'],
    ['binary', 'Buffer, 1000000 bytes'],
  ] as const) {
    await page.goto(`${app.origin}/queues/queue/mail/${id}?status=waiting`);
    await sees(page, text);
    await isIntact(page);
    await shoot(page, `large-${id}`);
  }
}, 60_000);

test.each([
  ['desktop', {}],
  ['phone', PHONE],
])(
  'names, reasons and log lines of 10 kB do not break the page on a %s',
  async (screen, options) => {
    const { app, queue } = await start();
    const long = (letter: string): string => letter.repeat(LONG);
    await queue.add('a', { [long('k')]: long('d') }, { jobId: 'i'.repeat(400), attempts: 1 });
    await fail(queue, long('e'));
    // The package refuses such a name, and other writers may not.
    await queue.add('a', 1, { jobId: 'named' });
    const [[, fields] = []] = await redis.client.xrangeBuffer(queue.keys.stream, '-', '+');
    const bytes = fields![fields!.findIndex((field) => field.toString() === 'd') + 1]!;
    await redis.client.xadd(queue.keys.stream, '*', 'd', bytes, 'n', long('n'));
    await queue.add('n'.repeat(256), 1, { group: { id: 'g'.repeat(200) } });
    await queue.upsertJobScheduler('s'.repeat(480), { every: 60_000_000 }, { name: 't'.repeat(256) });
    const page = await browser.open(`${app.origin}/queues/queue/mail`, options);
    await sees(page, 'eeeeeeeeee');
    await isIntact(page);
    await shoot(page, `long-list-${screen}`);
    await page.goto(`${app.origin}/queues/queue/mail/${'i'.repeat(400)}?status=failed`);
    await sees(page, 'eeeeeeeeee');
    await isIntact(page);
    await shoot(page, `long-job-${screen}`);
    await page.goto(`${app.origin}/queues/job-schedulers`);
    await sees(page, 'ssssssssss');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    await shoot(page, `long-schedulers-${screen}`);
    await page.close();
  },
  60_000,
);

describe.each(['express', 'fastify'] as const)('with %s', (library) => {
  test('the board works below a global prefix, with versions', async () => {
    const mail = ChasquiModule.forFeature('mail');
    const app = await boards.start({
      library,
      prefix: 'api',
      versioning: { type: VersioningType.URI, defaultVersion: '1' },
      imports: [mail],
      root: { workers: false },
      board: { path: 'admin/board', guard: false },
    });
    await app.queue('mail').add('hello', 1, { jobId: 'a/b' });
    const page = await browser.open(`${app.origin}/api/admin/board`);
    await page.getByRole('link', { name: 'mail' }).first().click();
    await sees(page, 'hello');
    await page.getByText('hello').first().waitFor();
    expect(page.url()).toContain('/api/admin/board/queue/mail');
    await page.reload();
    await sees(page, 'hello');
    await shoot(page, `prefix-${library}`);
  });

  test.each([401, 403])('a guard that rejects with %i shows nothing of the board', async (status) => {
    @Injectable()
    class NoGuard implements CanActivate {
      canActivate(): boolean {
        if (status === 401) throw new UnauthorizedException('Sign in first.');
        return false;
      }
    }
    const app = await boards.start({
      library,
      imports: [ChasquiModule.forFeature('mail')],
      board: { guard: NoGuard },
      root: { workers: false },
    });
    const page = await browser.open(`${app.origin}/queues`);
    await sees(page, String(status));
    expect(await page.getByText('Chasqui').count()).toBe(0);
    for (const path of ['/queues/api/queues', '/queues/static/favicon.ico', '/queues/queue/mail']) {
      expect((await app.call('GET', path)).status, path).toBe(status);
    }
    await shoot(page, `guard-${String(status)}-${library}`);
  });

  test('a session that ends while the board is open: the page says so, and shows no more than it did', async () => {
    let isSignedIn = true;
    const guard: CanActivate = {
      canActivate: () => {
        if (!isSignedIn) throw new UnauthorizedException('Sign in again.');
        return true;
      },
    };
    const app = await boards.start({
      library,
      imports: [ChasquiModule.forFeature('mail')],
      board: { guard, uiConfig: QUICK },
      root: { workers: false },
    });
    await app.queue('mail').add('before', 1);
    const page = await browser.open(`${app.origin}/queues/queue/mail`);
    const unanswered = new Set<unknown>();
    page.on('request', (request) => unanswered.add(request));
    page.on('requestfinished', (request) => unanswered.delete(request));
    page.on('requestfailed', (request) => unanswered.delete(request));
    await sees(page, 'before');
    isSignedIn = false;
    // A request that the guard has let in may read the queue later: the job is added when each of them has its answer.
    await page.waitForResponse((response) => response.status() === 401, { timeout: 20_000 });
    await vi.waitFor(() => expect(unanswered.size).toBe(0), 20_000);
    await app.queue('mail').add('secret', 1);
    await page.waitForResponse((response) => response.status() === 401, { timeout: 20_000 });
    await page
      .getByText(/Sign in again|Unauthorized/)
      .first()
      .waitFor({ timeout: 20_000 });
    expect(await page.getByText('secret').count()).toBe(0);
    await shoot(page, `signed-out-${library}`);
    isSignedIn = true;
    await page.getByText('secret').first().waitFor({ timeout: 20_000 });
  }, 60_000);
});
