import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Queue, Worker, type Job } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/deduplication.md', redis);

const simple = block<{ synchronize(queue: Queue, account: string): Promise<Job> }>('Until the job has ended');
const throttle = block<{ remind(queue: Queue, user: string): Promise<Job> }>('For a time');
const debounce = block<{ index(queue: Queue, id: string, text: string): Promise<Job> }>('The newest of many');
const last = block<{ render(queue: Queue, page: string, version: number): Promise<Job> }>(
  'The newest after the active one',
);
const free = block<{ startAnew(queue: Queue, id: string): Promise<string | null> }>('Look, and free an id');

it('the modes add one job, as the page says', async () => {
  await using queue = new Queue('work', { connection: redis.connection });
  const { synchronize } = await simple();
  const { remind } = await throttle();
  const { index } = await debounce();
  const { startAnew } = await free();
  for (const add of [() => synchronize(queue, 'ada'), () => remind(queue, 'grace')]) {
    const [first, second] = [await add(), await add()];
    expect([second.id, second.duplicate]).toEqual([first.id, true]);
  }
  await index(queue, 'doc', 'old');
  const newest = await index(queue, 'doc', 'new');
  expect((await queue.getDelayed()).map(({ id }) => id)).toEqual([newest.id]);
  expect(await startAnew(queue, 'doc')).toBe(newest.id);
  expect(await startAnew(queue, 'doc')).toBeNull();
});

it('the newest job runs after the active one', async () => {
  await using queue = new Queue('work', { connection: redis.connection });
  const { render } = await last();
  const ran: unknown[] = [];
  await using worker = new Worker<{ version: number }>(
    'work',
    async ({ data }) => {
      ran.push(data.version);
      if (data.version === 1) for (const version of [2, 3]) await render(queue, 'home', version);
    },
    { connection: redis.connection },
  );
  const completed = once(worker, 'completed');
  await render(queue, 'home', 1);
  await completed;
  await once(worker, 'completed');
  expect(ran).toEqual([1, 3]);
});
