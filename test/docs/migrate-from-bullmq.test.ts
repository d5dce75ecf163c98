import type { Type } from '@nestjs/common';
import { expect, it, vi } from 'vitest';
import { runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { startModule } = useApps(redis);
const { block } = docsPage('docs/migrate-from-bullmq.md', redis);

const after = block<{ AppModule: Type }>('Migrate from `@nestjs/bullmq`');

it('the class of the page works', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const app = await startModule((await after()).AppModule);
  expect(workerOf(app, 'audio').opts.concurrency).toBe(5);
  expect((await runJob(app, 'audio', 'transcode', { file: 'a.wav' })).result).toBe('a.wav');
  const { job } = await runJob(app, 'audio', 'other', {}, { attempts: 1 });
  expect(log).toHaveBeenCalledWith(job.id, expect.stringContaining('"other"'));
  expect(job.opts.attempts).toBe(1);
});
