import { once } from 'node:events';
import { TerminusModule, type HealthIndicatorResult } from '@nestjs/terminus';
import { expect, it } from 'vitest';
import { ChasquiHealthIndicator } from '../../lib/health/index.js';
import { ChasquiModule, OnJob, Processor, Queue } from '../../lib/index.js';
import { useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ password: 'open-sesame' });
const { start, logs } = useApps(redis);

@Processor('mail')
class MailProcessor {
  @OnJob()
  handle() {}
}

it('shows no password, however Redis fails', async () => {
  const app = await start(
    {
      imports: [TerminusModule, ChasquiModule.forFeature('mail')],
      providers: [ChasquiHealthIndicator, MailProcessor],
    },
    { connection: redis.url, workerOptions: { blockMs: 20 } },
  );
  const indicator = app.get(ChasquiHealthIndicator, { strict: false });
  const results: HealthIndicatorResult[] = [];
  const look = async (): Promise<void> => {
    results.push(await indicator.checkConnection('redis', { timeoutMs: 100 }));
    results.push(await indicator.checkWorkers('workers', { maxUnansweredMs: 1 }));
    results.push(await indicator.checkBacklog('backlog', { timeoutMs: 100 }));
  };
  await look();
  redis.server.pause();
  await look();
  const gone = once(workerOf(app, 'mail'), 'error');
  await redis.server.kill();
  await gone;
  await look();
  expect(new Set(results.flatMap(({ redis: seen }) => seen?.status ?? []))).toEqual(new Set(['up', 'down']));
  await redis.server.restart();
  await redis.client.config('SET', 'requirepass', 'another');
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await look();
  await redis.client.config('SET', 'requirepass', 'open-sesame');
  expect(JSON.stringify(results) + logs.join('\n')).not.toContain('sesame');
  const outsider = new Queue('mail', { connection: { ...redis.connection, password: 'wrong-one' } });
  await expect(outsider.ping()).rejects.toThrow(/^(?!.*wrong-one).*password/);
  await outsider.close();
});

it('names only eviction policies that can drop jobs', async () => {
  const app = await start(
    {
      imports: [TerminusModule, ChasquiModule.forFeature('mail')],
      providers: [ChasquiHealthIndicator],
    },
    { connection: { ...redis.connection } },
  );
  const indicator = app.get(ChasquiHealthIndicator, { strict: false });
  expect((await indicator.checkConnection('redis')).redis).not.toHaveProperty(
    'connections.default.evictionPolicy',
  );
  await app.close();
  await redis.client.config('SET', 'maxmemory-policy', 'volatile-lru');
  const other = await start(
    {
      imports: [TerminusModule, ChasquiModule.forFeature('mail')],
      providers: [ChasquiHealthIndicator],
    },
    { connection: { ...redis.connection } },
  );
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  const { redis: seen } = await other.get(ChasquiHealthIndicator, { strict: false }).checkConnection('redis');
  expect(seen).toMatchObject({ status: 'up', connections: { default: { evictionPolicy: 'volatile-lru' } } });
});
