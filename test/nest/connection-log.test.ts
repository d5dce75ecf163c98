import { expect, it } from 'vitest';
import { ChasquiModule, OnJob, OnQueueEvent, Processor, QueueEventsListener } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { useApps, workerOf } from './support/apps.js';

const redis = useRedis({ password: 's3cret-pass' });
const { start, logs } = useApps(redis);

@Processor('mail')
class MailProcessor {
  @OnJob()
  handle() {}
}

@Processor('reports')
class ReportProcessor {
  @OnJob()
  handle() {}
}

@QueueEventsListener('mail')
class Listener {
  @OnQueueEvent('completed')
  onCompleted() {}
}

const lines = (pattern: RegExp): string[] => logs.filter((line) => pattern.test(line));

it('an outage is one line at its start and one at its end, for all queues of a connection', async () => {
  const app = await start({
    imports: [ChasquiModule.forFeature('mail', 'reports')],
    providers: [MailProcessor, ReportProcessor, Listener],
  });
  const mail = workerOf(app, 'mail');
  const reports = workerOf(app, 'reports');
  await redis.server.kill();
  await expect.poll(() => lines(/ECONNREFUSED|was lost/).length, { timeout: 10_000 }).toBe(1);
  // Both workers have tried to read several times by then, and each failure could have been logged.
  const failures = (): number => Math.min(mail.health().failures, reports.health().failures);
  await expect.poll(failures, { timeout: 10_000 }).toBeGreaterThan(2);
  expect(lines(/Redis|Worker of|Events of/)).toHaveLength(1);
  await redis.server.restart();
  await expect.poll(() => lines(/answers again, after \d/).length, { timeout: 10_000 }).toBe(1);
  expect(lines(/ECONNREFUSED|was lost/)).toHaveLength(1);
  expect(logs.join('\n')).not.toContain('s3cret');
});

it('an eviction policy is one warning', async () => {
  await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await start({
    imports: [ChasquiModule.forFeature('mail', 'reports')],
    providers: [MailProcessor, ReportProcessor, Listener],
  });
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  expect(lines(/allkeys-lru.*Set maxmemory-policy noeviction/)).toHaveLength(1);
});

it.each([
  ['an empty URL', '', /forRoot \(connection "default"\).*empty/],
  ['another scheme', 'http://u:s3cret@host', /forRoot.*http:\/\//],
  ['a misspelt option', { pasword: 's3cret' }, /forRoot.*"pasword".*"password"/],
  ['nothing', undefined, /forRoot.*"connection" is missing/],
])('forRoot refuses %s, without showing it', async (_, connection, says) => {
  const boot = start({ imports: [ChasquiModule.forFeature('mail')] }, { connection: connection as never });
  const error = await boot.then(
    () => undefined,
    (reason: unknown) => reason as Error & { code?: string },
  );
  expect(error).toMatchObject({ code: 'CMQ-004' });
  expect(error?.message).toMatch(says);
  expect(error?.message).not.toContain('s3cret');
});
