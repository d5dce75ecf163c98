import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeEnvelope } from '../../lib/engine/codec/write-envelope.js';
import { ChasquiModule, UnrecoverableError, type Queue } from '../../lib/index.js';
import { useBrowser } from '../support/browser.js';
import { useRedis } from '../support/redis.js';
import { useWorkers } from '../support/workers.js';
import { useBoards, type BoardApp, type ShownJob } from './support/boards.js';
import { confirm, PATIENCE, press, sees } from './support/pages.js';

// Jobs whose bytes cannot be decoded have no id. What the board does with them must not reach any job that has one.
const redis = useRedis();
const boards = useBoards(redis);
const workers = useWorkers(redis);
const browser = useBrowser();

const STATES = ['waiting', 'prioritized', 'delayed', 'failed', 'completed'] as const;
type State = (typeof STATES)[number];
const JUNK = Buffer.from([0xff, 0x00, 0xc1, 0x41, 0xe2, 0x9f, 0xa7]);
const SENT = 1_700_000_000_000;
/** An array of five whose id can be read, and nothing behind it: that of a real job. */
const HALF = Buffer.concat([Buffer.from([0x95, 0xa4]), Buffer.from('null')]);

let app: BoardApp;
let queue: Queue;

beforeEach(async () => {
  app = await boards.start({
    imports: [ChasquiModule.forFeature({ name: 'mail', trackJobs: true })],
    root: { workers: false },
  });
  queue = app.queue('mail');
});

afterEach(() => {
  expect(browser.troubles()).toEqual([]);
});

const api = (id: string, action = ''): string =>
  `/queues/api/queues/mail/${encodeURIComponent(id)}${action === '' ? '' : `/${action}`}`;

async function listed(state: string): Promise<readonly ShownJob[]> {
  const path = `/queues/api/queues?activeQueue=mail&status=${state}&jobsPerPage=50`;
  return (await app.call('GET', path)).body.queues[0]!.jobs;
}

/** One in each place, and half of a job in the stream and among the dead letters. Resolves with their ids on the board, by state. */
async function addJunk(): Promise<Readonly<Record<string, string[]>>> {
  const { stream, dlq, delayed, room } = queue.keys;
  const entry = await redis.client.xadd(stream, '*', 'd', JUNK);
  const half = await redis.client.xadd(stream, '*', 'd', HALF, 'n', 'half');
  const fields = ['source_id', `${String(SENT)}-0`, 'reason', 'malformed', 'detail', 'no Job'];
  const letter = await redis.client.xadd(dlq, '*', 'd', JUNK, ...fields);
  const halfLetter = await redis.client.xadd(dlq, '*', 'd', HALF, ...fields);
  await redis.client.zadd(delayed, Date.now() + 600_000, JUNK);
  await redis.client.zadd(room, 0, JUNK);
  const member = `⟦member ${createHash('sha1').update(JUNK).digest('hex')}⟧`;
  return {
    waiting: [`⟦entry ${entry!}⟧`, `⟦entry ${half!}⟧`],
    failed: [`⟦dead letter ${letter!}⟧`, `⟦dead letter ${halfLetter!}⟧`],
    delayed: [member],
  };
}

/** Adds jobs with these ids, and brings them into the state. */
async function addReal(state: State, ids: readonly string[]): Promise<void> {
  const isRun = state === 'failed' || state === 'completed';
  const opts = {
    ...(state === 'prioritized' && { priority: 3 }),
    ...(state === 'delayed' && { delay: 600_000 }),
  };
  await queue.addBulk(
    ids.map((jobId) => ({ name: 'real', data: { precious: jobId }, opts: { ...opts, jobId } })),
  );
  if (!isRun) return;
  const worker = workers.start(() => {
    if (state === 'failed') throw new UnrecoverableError('no');
    return Promise.resolve();
  });
  await expect.poll(() => queue.getJobCountByTypes(state), { timeout: 10_000 }).toBe(ids.length);
  await worker.close();
}

const real = async (ids: readonly string[]): Promise<unknown[]> =>
  Promise.all(
    ids.map(async (id) => {
      const job = await queue.getJob(id);
      return [id, job?.state, job?.data, job?.attemptsMade];
    }),
  );

describe.each(STATES)('with real jobs of such ids that are %s', (state) => {
  test('each row is opened, refused and removed by itself', async () => {
    const named = ['null', 'undefined', '％', '%', '⟦⟦'];
    await addReal(state, named);
    const junk = await addJunk();
    const rows = Object.values(junk).flat();
    // A job may have the very id of a row.
    const ids = [...named, ...rows];
    if (state === 'waiting')
      await queue.addBulk(
        rows.map((jobId) => ({ name: 'real', data: { precious: jobId }, opts: { jobId } })),
      );
    const before = await real(state === 'waiting' ? ids : named);
    expect(before.every((row) => (row as unknown[])[1] === state)).toBe(true);

    expect((await listed('delayed')).map(({ id }) => id)).toContain(junk['delayed']![0]);
    for (const [place, [id]] of Object.entries(junk)) {
      const shown = (await listed(place)).map((job) => job.id);
      expect(shown, place).toEqual(expect.arrayContaining(junk[place]!));
      const { status, body } = await app.call('GET', api(id!));
      expect([status, body.job.id, body.status], place).toEqual([200, id, place]);
      expect(body.job.data).toBe(
        '⟦these bytes cannot be decoded: 7 bytes, as text: ···A···, in hex: ff 00 c1 41 e2 9f a7⟧',
      );
    }
    const letter = (await app.call('GET', api(junk['failed']![0]!))).body.job;
    expect(letter.timestamp).toBe(SENT);
    expect(letter.stacktrace).toEqual(['Dead letter, malformed: no Job']);
    const entry = (await app.call('GET', api(junk['waiting']![0]!))).body.job;
    expect(Math.abs(entry.timestamp - Date.now())).toBeLessThan(60_000);

    for (const id of rows) {
      expect((await app.call('GET', api(id, 'logs'))).status).toBe(200);
      const edit = await app.call('PATCH', api(id, 'update-data'), { jobData: { clobbered: true } });
      expect([edit.status, edit.body.message]).toEqual([409, expect.stringContaining('cannot be edited')]);
      const promote = await app.call('PUT', api(id, 'promote'));
      expect([promote.status, promote.body.message]).toEqual([
        409,
        expect.stringContaining('cannot be promoted'),
      ]);
      // Bull Board itself refuses with 400 what the state does not allow.
      const delay = await app.call('PATCH', api(id, 'delay'), { runAt: Date.now() + 90_000 });
      expect(delay.status).toBe(junk['delayed']!.includes(id) ? 409 : 400);
      expect((await app.call('PATCH', api(id, 'priority'), { priority: 2 })).status).toBeGreaterThanOrEqual(
        400,
      );
    }
    for (const id of junk['failed']!) {
      const retry = await app.call('PUT', api(id, 'retry'));
      expect([retry.status, retry.body.message]).toEqual([
        409,
        expect.stringContaining('cannot be replayed'),
      ]);
    }
    const member = junk['delayed']![0]!;
    // The same bytes are in the delayed set and in the room: each is removed by itself.
    for (const id of [...rows, member]) {
      expect((await app.call('PUT', api(id, 'clean'))).status, id).toBe(204);
    }
    for (const id of rows) {
      expect((await app.call('PUT', api(id, 'clean'))).status, id).toBe(404);
      expect((await app.call('GET', api(id))).status, id).toBe(404);
    }
    expect(await real(state === 'waiting' ? ids : named)).toEqual(before);
    expect(await redis.client.zcard(queue.keys.room)).toBe(state === 'prioritized' ? named.length : 0);
    // The real ones are opened by the ids that the board shows for them.
    for (const id of (await listed(state)).map((job) => job.id!)) {
      expect((await app.call('GET', api(id))).body.job.id).toBe(id);
    }
    expect((await app.call('PUT', api('⟦％', 'clean'))).status).toBe(204);
    expect(await queue.getJob('％')).toBeUndefined();
    expect((await queue.getJob('%'))?.state).toBe(state);
  });
});

test('an entry that a worker has is not removed', async () => {
  const { stream } = queue.keys;
  const id = `⟦entry ${(await redis.client.xadd(stream, '*', 'd', JUNK))!}⟧`;
  await redis.client.xgroup('CREATE', stream, 'others', '0');
  await redis.client.xreadgroup('GROUP', 'others', 'one', 'COUNT', 1, 'STREAMS', stream, '>');
  const answer = await app.call('PUT', api(id, 'clean'));
  expect(answer.status).toBe(409);
  // Also if it was delivered after the board had read it.
  const [[entryId] = []] = await redis.client.xrange(stream, '-', '+');
  expect(await queue.removeUnreadable({ entryId })).toBe('active');
  expect(await redis.client.xlen(stream)).toBe(1);
});

test('the address of a row does not lead to a job that can be read', async () => {
  await queue.add('real', 1);
  const [[entry] = []] = await redis.client.xrange(queue.keys.stream, '-', '+');
  expect((await app.call('PUT', api(`⟦entry ${entry!}⟧`, 'clean'))).status).toBe(404);
  expect(await queue.getWaitingCount()).toBe(1);
});

test('the page opens such a row, and its button removes that row', async () => {
  await queue.add('real', { precious: 1 }, { jobId: 'null', priority: 1 });
  await redis.client.xadd(queue.keys.stream, '*', 'foo', 'bar');
  const page = await browser.open(`${app.origin}/queues/queue/mail?status=waiting`);
  await page.locator('main a[href*=entry]').first().click(PATIENCE);
  await page.waitForURL(/entry/, PATIENCE);
  await sees(page, 'these bytes cannot be decoded: there are none');
  await press(page, 'waiting', 'Clean');
  await confirm(page);
  await expect.poll(() => redis.client.xlen(queue.keys.stream), { timeout: 10_000 }).toBe(0);
  expect((await queue.getJob('null'))?.data).toEqual({ precious: 1 });
}, 60_000);

test.each(['waiting', 'completed'] as const)(
  'what is done with a dead letter does not reach a %s job that has its id now',
  async (state) => {
    await addReal('failed', ['order-17', 'order-18']);
    // As when the time is over for which the id stays taken.
    await redis.client.del(queue.keys.dedup('order-17'));
    await addReal(state, ['order-17']);
    // Of another writer: longer than an id may be.
    const long = 'x'.repeat(5_000);
    const bytes = encodeEnvelope({ id: long, payload: Buffer.from([0xc0]), createdAtMs: 1, attempt: 0 });
    const other = await redis.client.xadd(queue.keys.dlq, '*', 'd', bytes, 'reason', 'unrecoverable');
    const rows = await listed('failed');
    expect(rows[0]!.id).toBe(`⟦dead letter ${other!}⟧`);
    expect((await app.call('PUT', api(rows[0]!.id!, 'clean'))).status).toBe(204);
    const row = rows.slice(1).find(({ id }) => id!.startsWith('⟦dead letter '))!;
    const shown = (await app.call('GET', api(row.id!))).body.job;
    expect(shown.stacktrace?.join('')).toContain('"order-17", does not lead to it');
    expect((await app.call('PATCH', api(row.id!, 'update-data'), { jobData: {} })).status).toBe(409);
    expect((await app.call('PUT', api(row.id!, 'clean'))).status).toBe(204);
    expect((await listed('failed')).map(({ id }) => id)).toEqual(['order-18']);
    expect((await queue.getJob('order-17'))?.state).toBe(state);
  },
);
