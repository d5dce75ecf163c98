import type { Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { queueOf, runJob, useApps } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { startModule } = useApps(redis);
const { block } = docsPage('docs/deployment.md', redis);

describe('new job names', () => {
  const releasing = block<{ AppModule: Type }>('New job names');

  it('go back to the queue, and are no dead letters', async () => {
    const { AppModule } = await releasing();
    const app = await startModule(AppModule);
    await queueOf(app, 'mail').add('digest', {});
    expect((await runJob(app, 'mail', 'send')).result).toBe('sent');
    await expect.poll(() => redis.client.zcard('{chasqui:mail}:delayed')).toBe(1);
    expect(await queueOf(app, 'mail').peekDlq()).toEqual([]);
  });
});
