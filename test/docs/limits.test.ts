import { expect, it } from 'vitest';
import { Queue } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/limits.md', redis);

it('the active jobs of a queue are limited', async () => {
  const { protectBank } = await block<{ protectBank: (payments: Queue) => Promise<boolean> }>(
    'Limit the active jobs of a queue',
  )();
  const queue = new Queue('payments', { connection: redis.connection });
  expect(await protectBank(queue)).toBe(false);
  expect(await queue.getGlobalConcurrency()).toBe(5);
  await queue.close();
});
