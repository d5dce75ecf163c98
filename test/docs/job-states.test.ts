import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Queue, Worker, type Job } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/job-states.md', redis);

const takingBack = block<{ stopExport(exports: Queue, id: string): Promise<string> }>(
  'Remove or cancel a job',
);

it('taking a job back: before it has started, while it runs, when it has ended', async () => {
  const { connection } = redis;
  const { stopExport } = await takingBack();
  await using exports = new Queue('exports', { connection });
  const waiting = await exports.add('export', {});
  expect(await stopExport(exports, waiting.id)).toBe('It had not started, and never will.');

  await using worker = new Worker(
    'exports',
    async ({ signal }) => {
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    },
    { connection },
  );
  const active = once(worker, 'active');
  const failed = once(worker, 'failed');
  const running = await exports.add('export', {});
  await active;
  expect(await stopExport(exports, running.id)).toBe('Its worker will end it.');
  const [job, error] = (await failed) as [Job, Error];
  expect([job.id, error.name]).toEqual([running.id, 'JobCancelledError']);
  expect(await stopExport(exports, running.id)).toBe('It has ended already.');
  expect(await exports.peekDlq()).toEqual([]);
});
