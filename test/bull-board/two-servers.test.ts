import { beforeEach, expect, test } from 'vitest';
import { ChasquiModule } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { shoot } from './support/pages.js';
import { useBoards, type Answer, type BoardApp, type ShownQueue } from './support/boards.js';

const redis = useRedis();
const other = useRedis();
const boards = useBoards(redis);
const browser = useBrowser();

let app: BoardApp;

beforeEach(async () => {
  app = await boards.start({
    imports: [
      // The first queue is the one that will be down.
      ChasquiModule.forFeature({ name: 'orders', connection: other.connection }),
      ChasquiModule.forFeature({ name: 'mail' }),
    ],
    root: { workers: false },
  });
  await app.queue('mail').add('hello', 1);
  await app.queue('orders').add('order', 1, { jobId: 'order-1' });
});

const list = (active = ''): Promise<Answer> => app.call('GET', `/queues/api/queues?activeQueue=${active}`);
const named = ({ body }: Answer, name: string): ShownQueue =>
  body.queues.find((queue) => queue.name === name)!;

test.each(['killed', 'frozen'] as const)(
  'a Redis that is %s does not hide the queues of another',
  async (how) => {
    expect((await list()).body.queues.map(({ name }) => name)).toEqual(['orders', 'mail']);
    if (how === 'killed') await other.server.kill();
    else other.server.pause();
    await expect
      .poll(async () => named(await list('mail'), 'orders').displayName, { timeout: 20_000 })
      .toBe('orders (Redis cannot be reached)');
    const begun = performance.now();
    const down = await list('mail');
    expect(down.body.queues.map(({ name }) => name)).toEqual(['orders', 'mail']);
    // Nobody waits for a server that is known to be down.
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(named(down, 'mail')).toMatchObject({ counts: { waiting: 1 }, jobs: [{ name: 'hello' }] });
    expect(named(down, 'orders')).toMatchObject({ jobs: [], hasWorkers: null });
    expect(named(down, 'orders').description).toContain(`${other.host}:${String(other.port)}`);
    expect((await list('orders')).status).toBe(200);
    expect((await app.call('GET', '/queues/api/redis/stats')).body).toMatchObject({ port: redis.port });
    expect((await app.call('GET', '/queues/api/job-schedulers')).status).toBe(200);
    expect((await app.call('GET', '/queues/api/queues/orders/order-1')).status).toBe(503);
    if (how === 'killed') {
      const paused = await app.call('PUT', '/queues/api/queues/pause');
      expect(paused.status).toBe(503);
      expect(paused.body.message).toMatch(
        /^Not paused: "orders": .*cannot be reached.* All others are paused\.$/,
      );
      expect(await app.queue('mail').isPaused()).toBe(true);
      await other.server.restart();
    } else {
      other.server.resume();
    }
    await expect
      .poll(async () => named(await list(), 'orders').displayName, { timeout: 20_000 })
      .toBeUndefined();
    expect((await list()).body.queues.map(({ name }) => name)).toEqual(['orders', 'mail']);
  },
  60_000,
);

test('if all are down, the board says so', async () => {
  await Promise.all([redis.server.kill(), other.server.kill()]);
  await expect.poll(async () => (await list()).status, { timeout: 20_000 }).toBe(503);
  await Promise.all([redis.server.restart(), other.server.restart()]);
  await expect.poll(async () => (await list()).status, { timeout: 20_000 }).toBe(200);
  await expect
    .poll(async () => named(await list(), 'orders').displayName, { timeout: 20_000 })
    .toBeUndefined();
}, 60_000);

test('in a browser, the one that is down says so, and comes back by itself', async () => {
  const page = await browser.open(`${app.origin}/queues`);
  await page.getByText('mail').first().waitFor();
  await other.server.kill();
  await page.getByText('orders (Redis cannot be reached)').first().waitFor({ timeout: 30_000 });
  await shoot(page, 'one-down-overview');
  await page.goto(`${app.origin}/queues/queue/mail`);
  await page.getByText('hello').first().waitFor();
  await shoot(page, 'one-down-other-queue');
  await page.goto(`${app.origin}/queues/queue/orders`);
  await page.getByText('orders (Redis cannot be reached)').first().waitFor();
  await shoot(page, 'one-down-its-queue');
  await other.server.restart();
  await app.queue('orders').waitUntilReady();
  await app.queue('orders').add('back', 2);
  await page.getByText('back', { exact: true }).first().waitFor({ timeout: 30_000 });
  expect(await page.getByText('cannot be reached').count()).toBe(0);
  expect(browser.troubles()).toEqual([]);
}, 90_000);
