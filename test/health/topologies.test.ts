import type { INestApplicationContext } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { afterEach, describe, expect, it } from 'vitest';
import { ChasquiHealthIndicator } from '../../lib/health/index.js';
import { ChasquiModule, OnJob, Processor } from '../../lib/index.js';
import { queueOf, runJob, useApps, type Applications } from '../nest/support/apps.js';
import { useCluster, useSentinel } from '../support/redis.js';

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  send() {}
}

async function checked(start: Applications['start']) {
  const app = await start(
    {
      imports: [TerminusModule, ChasquiModule.forFeature('mail', 'reports')],
      providers: [ChasquiHealthIndicator, MailProcessor],
    },
    { workerOptions: { blockMs: 100 } },
  );
  return { app, indicator: app.get(ChasquiHealthIndicator, { strict: false }) };
}

/** All checks, with work done and work waiting. */
async function expectHealthy(app: INestApplicationContext, indicator: ChasquiHealthIndicator) {
  await runJob(app, 'mail', 'send');
  await queueOf(app, 'reports').add('write', {});
  expect(await indicator.checkConnection('redis')).toMatchObject({
    redis: { status: 'up', connections: { default: { status: 'ready' } } },
  });
  expect(await indicator.checkWorkers('workers')).toMatchObject({
    workers: { status: 'up', workers: { mail: { state: 'running' } } },
  });
  expect(await indicator.checkBacklog('backlog')).toMatchObject({
    backlog: { status: 'up', queues: { mail: { waiting: 0 }, reports: { waiting: 1 } } },
  });
}

describe('of a Cluster', () => {
  const redis = useCluster();
  const { start } = useApps(redis);

  afterEach(() => {
    for (const node of redis.cluster.nodes) node.resume();
  });

  it('is up', async () => {
    const { app, indicator } = await checked(start);
    await expectHealthy(app, indicator);
  });

  it('is down, in time, while the node of a queue hangs, and recovers', async () => {
    const { app, indicator } = await checked(start);
    await runJob(app, 'mail', 'send');
    const node = await nodeOf('mail');
    node.pause();
    const { backlog } = await indicator.checkBacklog('backlog', { queues: ['mail'], timeoutMs: 200 });
    expect(backlog).toMatchObject({
      status: 'down',
      message: expect.stringMatching(/^Redis at cluster .* gave no answer within/) as string,
    });
    node.resume();
    expect(await indicator.checkBacklog('backlog', { timeoutMs: 10_000 })).toMatchObject({
      backlog: { status: 'up' },
    });
  });

  it('is down while the nodes are away, and up again when they are back', async () => {
    const { app, indicator } = await checked(start);
    await runJob(app, 'mail', 'send');
    await Promise.all(redis.cluster.nodes.map((node) => node.kill()));
    const { redis: down } = await indicator.checkConnection('redis', { timeoutMs: 200 });
    expect(down).toMatchObject({ status: 'down' });
    await Promise.all(redis.cluster.nodes.map((node) => node.restart()));
    await redis.cluster.ready();
    expect(await indicator.checkConnection('redis', { timeoutMs: 10_000 })).toMatchObject({
      redis: { status: 'up' },
    });
  });

  async function nodeOf(queue: string) {
    for (const node of redis.cluster.nodes) {
      if ((await redis.client(node).keys(`{chasqui:${queue}}:*`)).length > 0) return node;
    }
    throw new Error(`No node has keys of ${queue}`);
  }
});

describe('of Sentinel', () => {
  const redis = useSentinel();
  const { start } = useApps(redis);

  it('is up', async () => {
    const { app, indicator } = await checked(start);
    await expectHealthy(app, indicator);
  });

  it('is down when the master is gone, and up at its successor', async () => {
    const { app, indicator } = await checked(start);
    await runJob(app, 'mail', 'send');
    const master = await redis.sentinel.master();
    await master.kill();
    const { redis: down } = await indicator.checkConnection('redis', { timeoutMs: 200 });
    expect(down).toMatchObject({ status: 'down' });
    expect(await indicator.checkConnection('redis', { timeoutMs: 15_000 })).toMatchObject({
      redis: { status: 'up' },
    });
    expect(await redis.sentinel.master()).not.toBe(master);
  });
});
