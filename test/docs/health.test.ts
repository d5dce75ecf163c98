import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { backlogSchema, connectionSchema, workersSchema } from '../../lib/health/schemas.js';
import { waitForJob } from '../../lib/testing/index.js';
import { queueOf } from '../nest/support/apps.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { blocksOf, textOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/health.md', redis);

const healthy = block<{ AppModule: Type }>('Health');
const guarded = block<{ AppModule: Type }>('If a global guard protects your routes');
const withoutNest = block<{ look(queue: Queue, worker: Worker): Promise<void> }>('Without Nest');

let app: INestApplication | undefined;

afterEach(async () => {
  redis.server.resume();
  await app?.close();
  app = undefined;
});

/** Starts an application of the page. Returns a function that sends requests to it. */
async function serve(example = healthy) {
  const { AppModule } = await example();
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .setLogger(SILENT)
    .compile();
  app = module.createNestApplication();
  const server = (await app.listen(0, '127.0.0.1')) as Server;
  const { port } = server.address() as AddressInfo;
  return async (path: string): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`http://127.0.0.1:${String(port)}/${path}`);
    return { status: response.status, body: await response.json() };
  };
}

/** The nth answer that the page shows. */
function shown(nth: number): unknown {
  const code = blocksOf('docs/health.md', 'json')[nth - 1]?.code ?? '';
  return JSON.parse(code.replaceAll('10.0.0.7:6379', `127.0.0.1:${String(redis.port)}`));
}

/** The same shape: what is measured or made up may differ. */
function likeThis(value: unknown): unknown {
  if (typeof value === 'number') return expect.any(Number);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.startsWith('c-') ? expect.any(String) : value;
  return Object.fromEntries(
    Object.entries(value as object).map(([key, member]) => [key, likeThis(member)] as const),
  );
}

describe('the endpoints', () => {
  it('answer as the page shows while all is well', async () => {
    const get = await serve();
    await waitForJob(queueOf(app!, 'mail'), (await queueOf(app!, 'mail').add('send', {})).id, 'completed');
    const { status, body } = await get('health/ready');
    expect(status).toBe(200);
    const { info } = body as { info: unknown };
    expect({ status: 'ok', info }).toEqual(likeThis(shown(1)));
    expect((await get('health/work')).status).toBe(200);
  });

  it('answer as the page shows while Redis hangs', async () => {
    const get = await serve();
    redis.server.pause();
    const { status, body } = await get('health/ready');
    redis.server.resume();
    expect(status).toBe(503);
    const { error } = body as { error: unknown };
    expect({ status: 'error', error }).toEqual(shown(2));
    expect((await get('health/ready')).status).toBe(200);
  });

  it('report dead letters', async () => {
    const get = await serve();
    const { id } = await queueOf(app!, 'mail').add('unknown', {});
    await waitForJob(queueOf(app!, 'mail'), id, 'dlq');
    const { status, body } = await get('health/work');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      info: { mail: { status: 'up', queues: { mail: { waiting: 0, deadLetters: 1 } } } },
      error: { 'dead letters': { status: 'down', queues: { mail: { deadLetters: 1 }, reports: {} } } },
    });
  });
});

it('a public health route answers beside a global guard', async () => {
  const get = await serve(guarded);
  expect((await get('health/ready')).status).toBe(200);
  expect((await get('mails')).status).toBe(403);
});

it('the page has every option, and every detail of a backlog and a worker', async () => {
  const text = textOf('docs/health.md');
  const options = [connectionSchema, workersSchema, backlogSchema].flatMap((schema) => Object.keys(schema));
  await using queue = new Queue('mail', { connection: redis.connection });
  await using worker = new Worker('mail', async () => {}, { connection: redis.connection, autorun: false });
  const details = [...Object.keys(await queue.getBacklog()), ...Object.keys(worker.health())];
  for (const name of options) expect(text).toMatch(new RegExp(`^\\|[^|]*\`${name}\``, 'm'));
  for (const name of details) expect(text).toContain(`\`${name}\``);
});

it('without Nest', async () => {
  const { look } = await withoutNest();
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await using queue = new Queue('mail', { connection: redis.connection });
  await using worker = new Worker('mail', async () => {}, { connection: redis.connection });
  await once(worker, 'ready');
  await look(queue, worker);
  expect(log.mock.calls).toEqual([
    [expect.any(Number), 'ms to', `127.0.0.1:${String(redis.port)}`],
    [
      {
        ...{ waiting: 0, oldestWaitingMs: 0, deadLetters: 0 },
        ...{ state: 'running', unansweredMs: expect.any(Number) as number, leasesLost: 0 },
      },
    ],
  ]);
});
