import { expect, test, vi } from 'vitest';
import type { ConnectionOptions } from '../../lib/engine/index.js';
import { TcpProxy } from '../support/proxy.js';
import { useKit } from './contract/kit.js';

const kit = useKit();

// The fast path stands between the socket and ioredis. It must be active with the ioredis that is installed.
test.each<[string, ConnectionOptions]>([
  ['RESP3', { protocol: 3 }],
  ['RESP2', { protocol: 2 }],
])('a worker reads jobs from the bytes of the reply: %s', async (_, options) => {
  const ran: unknown[] = [];
  const worker = kit.worker((job) => ran.push(job.data), {
    connection: { host: kit.host, port: kit.port, ...options },
  });
  void worker.run();
  const jobs = Array.from({ length: 300 }, (_each, n) => ({
    name: 'send',
    data: { n, text: 'ü'.repeat(n) },
  }));
  await kit.queue().addBulk(jobs);
  await vi.waitFor(() => {
    expect(ran).toHaveLength(300);
  });
  expect(ran).toEqual(jobs.map(({ data }) => data));
  expect(worker.health()).toMatchObject({ fastReads: true, failures: 0 });
});

test.each([2, 3] as const)(
  'empty replies that arrive byte by byte end no connection: RESP%i',
  async (protocol) => {
    await using proxy = await TcpProxy.start({ host: kit.host, port: kit.port });
    const ran: unknown[] = [];
    const worker = kit.worker((job) => ran.push(job.data), {
      connection: { host: proxy.host, port: proxy.port, protocol },
      // Reads without jobs come back at once.
      blockMs: 20,
    });
    const queue = kit.queue();
    await queue.add('send', 0);
    void worker.run();
    await vi.waitFor(() => {
      expect(ran).toHaveLength(1);
    });
    proxy.splitReplies((bytes) => /^(\*-1|_)\r\n$/.test(bytes.toString()));
    const totalReads = async (): Promise<number> => {
      const stats = await kit.client.info('commandstats');
      return Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(stats)?.[1]);
    };
    const connections = async (): Promise<string[]> => {
      const list = String(await kit.client.client('LIST'));
      return [...list.matchAll(/^id=(\d+)/gm)].map(([id]) => id);
    };
    const before = await totalReads();
    const connected = await connections();
    await vi.waitFor(async () => {
      expect(await totalReads()).toBeGreaterThan(before + 5);
    });
    await queue.add('send', 1);
    await vi.waitFor(() => {
      expect(ran).toHaveLength(2);
    });
    expect(worker.health()).toMatchObject({ fastReads: true, failures: 0 });
    // ioredis would connect anew without a word.
    expect(await connections()).toEqual(connected);
    proxy.splitReplies(() => false);
    await worker.close();
  },
);
