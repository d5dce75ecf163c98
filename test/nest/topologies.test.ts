import { Cluster, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { ChasquiModule, OnJob, Processor, type Job } from '../../lib/index.js';
import { useCluster, useSentinel } from '../support/redis.js';
import { runJob, useApps } from './support/apps.js';

/** Three queues, whose keys lie in slots of different nodes. */
const QUEUES = ['mail', 'reports', 'images'];

const processors = QUEUES.map((queue) => {
  @Processor(queue)
  class QueueProcessor {
    @OnJob('send')
    send(job: Job) {
      return `sent by ${job.queueName}`;
    }
  }
  return QueueProcessor;
});
const metadata = () => ({ imports: [ChasquiModule.forFeature(...QUEUES)], providers: processors });

describe('a Cluster', () => {
  const redis = useCluster();
  const { start } = useApps(redis);

  it('is given by its seed nodes, and has the queues on all of its nodes', async () => {
    const app = await start(metadata());
    for (const queue of QUEUES) {
      expect(await runJob(app, queue, 'send')).toMatchObject({ result: `sent by ${queue}` });
    }
    const sizes = await Promise.all(redis.cluster.nodes.map((node) => redis.client(node).dbsize()));
    expect(sizes.every((size) => size > 0)).toBe(true);
  });

  it("is a client of the user's own, which is used and never closed", async () => {
    const client = new Cluster([...redis.cluster.startNodes]);
    try {
      const app = await start(metadata(), { connection: client });
      for (const queue of QUEUES) {
        expect(await runJob(app, queue, 'send')).toMatchObject({ result: `sent by ${queue}` });
      }
      await app.close();
      expect(client.status).toBe('ready');
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });
});

describe('Sentinel', () => {
  const redis = useSentinel();
  const { start } = useApps(redis);

  it('is given by the addresses of sentinels', async () => {
    const app = await start(metadata());
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent by mail' });
    expect(await redis.client(await redis.sentinel.master()).dbsize()).toBeGreaterThan(0);
  });

  it("is a client of the user's own, which is used and never closed", async () => {
    const client = new Redis({ ...redis.connection });
    try {
      const app = await start(metadata(), { connection: client });
      expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent by mail' });
      await app.close();
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });
});

describe('several connections', () => {
  const cluster = useCluster();
  const sentinel = useSentinel();
  const { start } = useApps(cluster);

  it('may be of several kinds', async () => {
    const app = await start({
      imports: [
        ChasquiModule.forRoot({ name: 'billing', connection: sentinel.connection }),
        ChasquiModule.forFeature('mail', { name: 'reports', connectionName: 'billing' }),
      ],
      providers: processors.slice(0, 2),
    });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent by mail' });
    expect(await runJob(app, 'reports', 'send')).toMatchObject({ result: 'sent by reports' });
    const master = await sentinel.sentinel.master();
    expect(await sentinel.client(master).dbsize()).toBeGreaterThan(0);
  });
});
