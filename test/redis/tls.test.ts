import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import type { ConnectionOptions } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';

/** A private authority, and a certificate of it for the server and one for the client. */
async function makeCertificates() {
  const shared = { keyType: 'ec' as const, algorithm: 'sha256' };
  const authority = await generate([{ name: 'commonName', value: 'Test authority' }], {
    ...shared,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const server = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...shared,
    ca,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  const client = await generate([{ name: 'commonName', value: 'client' }], { ...shared, ca });
  return { ca: authority.cert, server, client };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('TLS with a private authority and client certificates', () => {
  let folder: string;
  let server: RedisServer;
  let certificates: Awaited<ReturnType<typeof makeCertificates>>;
  let connection: ConnectionOptions;

  beforeAll(async () => {
    certificates = await makeCertificates();
    folder = mkdtempSync(join(tmpdir(), 'chasqui-tls-'));
    const file = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content, { mode: 0o600 });
      return path;
    };
    const port = await freePort();
    const args = ['--tls-port', String(port), '--tls-auth-clients', 'yes'];
    args.push('--tls-ca-cert-file', file('ca.pem', certificates.ca));
    args.push('--tls-cert-file', file('server.pem', certificates.server.cert));
    args.push('--tls-key-file', file('server.key', certificates.server.private));
    server = await RedisServer.start({ args });
    const { cert, private: key } = certificates.client;
    connection = { host: '127.0.0.1', port, tls: { ca: certificates.ca, cert, key } };
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a job runs and returns its result', async () => {
    await using queue = new Queue<number, number>('sums', { connection });
    await using worker = new Worker<number, number>('sums', (job) => job.data + 1, {
      connection,
      storeResults: true,
    });
    await worker.waitUntilReady();
    const job = await queue.add('increment', 41);
    expect(await job.waitForResult()).toBe(42);
  });

  it('plain text to a TLS port, and an untrusted certificate: the message names the fix', async () => {
    const { client } = certificates;
    const wrong: [ConnectionOptions['tls'], RegExp][] = [
      [undefined, /rediss:\/\//],
      [{ cert: client.cert, key: client.private }, /certificate.*tls: \{ ca \}/],
    ];
    for (const [tls, says] of wrong) {
      const { tls: _tls, ...plain } = connection;
      const options = tls === undefined ? plain : { ...plain, tls };
      const queue = new Queue('sums', { connection: options, connectTimeoutMs: 1_000 });
      queue.on('error', () => undefined);
      const error = await queue.add('increment', 1).catch((reason: unknown) => reason as Error);
      expect((error as Error).message).toMatch(says);
      await queue.close();
    }
  });

  it('an untrusted server, or one that does not trust the client, is an error that names the address', async () => {
    const { ca, client } = certificates;
    const wrong: ConnectionOptions['tls'][] = [{ cert: client.cert, key: client.private }, { ca }];
    for (const tls of wrong) {
      const queue = new Queue('sums', { connection: { ...connection, tls }, connectTimeoutMs: 500 });
      const error = await queue.add('increment', 1).catch((reason: unknown) => reason as Error);
      expect(error).toMatchObject({ code: 'CMQ-001' });
      expect((error as Error).message).toContain(`127.0.0.1:${String(connection.port)}`);
      expect((error as Error).message).not.toContain('PRIVATE KEY');
      await queue.close();
    }
  });
});
