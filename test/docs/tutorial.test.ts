import type { Type } from '@nestjs/common';
import { expect, it, vi } from 'vitest';
import type { Queue } from '../../lib/index.js';
import { recordEvents } from '../../lib/testing/index.js';
import { queueOf, useApps } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

interface Processor {
  blocked: Set<string>;
}

const redis = useRedis();
const { startModule } = useApps(redis);
const { block } = docsPage('docs/tutorial.md', redis);

const handler = block<{ AppModule: Type; WelcomeProcessor: Type<Processor> }>('1. The handler, in a module');
const jobs = block<{ addBoth(welcome: Queue): Promise<void> }>('2. The jobs');
const replay = block<{ afterTheFix(welcome: Queue): Promise<void> }>(
  '4. Look at the dead letters, and replay them',
);

it('the tutorial: retries, a dead letter, a replay', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const { AppModule, WelcomeProcessor } = await handler();
  const app = await startModule(AppModule);
  const queue = queueOf(app, 'welcome');
  await using events = await recordEvents(queue);
  const attempts = (to: string): unknown[] =>
    log.mock.calls.flat().filter((line) => String(line).startsWith('attempt ') && String(line).endsWith(to));

  await (await jobs()).addBoth(queue);
  const { jobId: ada } = await events.waitFor('completed');
  expect(attempts('ada@example.com')).toEqual(
    [1, 2, 3].map((attempt) => `attempt ${String(attempt)} of job ${ada}: ada@example.com`),
  );
  const { jobId: poison, reason } = await events.waitFor('dlq');
  expect(reason).toBe('unrecoverable');
  expect(attempts('poison@example.com')).toHaveLength(1);

  app.get<Processor>(WelcomeProcessor).blocked.clear();
  await (await replay()).afterTheFix(queue);
  expect(log).toHaveBeenCalledWith(poison, 'unrecoverable', 'blocked address', { to: 'poison@example.com' });
  expect(log).toHaveBeenCalledWith('1 replayed, each with all of its attempts');
  await events.waitFor('completed', ({ jobId }) => jobId === poison);
  expect(attempts('poison@example.com').map((line) => String(line).slice(0, 9))).toEqual(
    [1, 1, 2, 3].map((attempt) => `attempt ${String(attempt)}`),
  );
});
