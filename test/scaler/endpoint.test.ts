import { once } from 'node:events';
import {
  Controller,
  Injectable,
  Module,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type ModuleMetadata,
} from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ChasquiModule, OnJob, Processor, Worker } from '../../lib/index.js';
import { ChasquiServer } from '../../lib/microservices/index.js';
import { ChasquiScaler, ChasquiScalerModule, type ChasquiScalerOptions } from '../../lib/scaler/index.js';
import { queueOf } from '../nest/support/apps.js';
import { collector } from '../support/nest.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const apps: INestApplication[] = [];
const logs: string[] = [];

afterEach(async () => {
  redis.server.resume();
  await Promise.all(apps.splice(0).map((app) => app.close()));
  logs.length = 0;
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly cacheControl: string | null;
}

/** Starts an API: it adds jobs and has no workers. Returns it, and a function that requests a path of it. */
async function api(
  options: ChasquiScalerOptions = {},
  metadata: ModuleMetadata = {},
  prepare: (app: INestApplication) => void = () => {},
) {
  @Module({
    ...metadata,
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection, workers: false, commandTimeoutMs: 60_000 }),
      ChasquiModule.forFeature('mail', { name: 'orders', workerOptions: { group: 'shop' } }),
      ChasquiScalerModule.forRoot(options),
      ...(metadata.imports ?? []),
    ],
  })
  class ApiModule {}
  const compiled = await Test.createTestingModule({ imports: [ApiModule] })
    .setLogger(collector(logs))
    .compile();
  const app: INestApplication = compiled.createNestApplication();
  apps.push(app);
  prepare(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(`${url}/${path}`, { headers });
    return {
      status: response.status,
      body: isJson(response) ? ((await response.json()) as Record<string, unknown>) : {},
      cacheControl: response.headers.get('cache-control'),
    };
  };
  return { app, get };
}

function isJson({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('application/json') === true;
}

describe('the endpoint', () => {
  it('answers for an unused queue', async () => {
    const { get } = await api();
    expect(await get('chasqui/scale/mail')).toEqual({
      status: 200,
      cacheControl: 'no-store',
      body: {
        queue: 'mail',
        jobsWanted: 0,
        backlogSeconds: 0,
        waiting: 0,
        active: 0,
        due: 0,
        delayed: 0,
        dueSchedules: 0,
        deadLetters: 0,
        paused: false,
      },
    });
  });

  it('counts the jobs of all processes, in every state', async () => {
    const { app, get } = await api();
    const mail = queueOf(app, 'mail');
    const release = new AbortController();
    const worker = new Worker('mail', () => once(release.signal, 'abort'), {
      connection: redis.connection,
      concurrency: 1,
      blockMs: 20,
    });
    try {
      const active = once(worker, 'active');
      await mail.add('send', 1);
      await active;
      await mail.add('send', 2, { delay: 3_600_000 });
      await mail.pause();
      await mail.addBulk([3, 4, 5].map((data) => ({ name: 'send', data })));
      expect((await get('chasqui/scale/mail')).body).toMatchObject({
        jobsWanted: 1,
        paused: true,
        waiting: 3,
      });
    } finally {
      release.abort();
      await worker.close();
    }
    await mail.resume();
    const { body } = await get('chasqui/scale/mail');
    expect(body).toMatchObject({ jobsWanted: 3, waiting: 3, active: 0, delayed: 1, due: 0, paused: false });
    expect(body['backlogSeconds']).toBeGreaterThan(0);
  });

  it('asks for a worker when a delayed job or a schedule is due, and there is none', async () => {
    const { app, get } = await api();
    const mail = queueOf(app, 'mail');
    await mail.add('send', 1, { delay: 1 });
    await mail.upsertJobScheduler('poll', { every: 50 });
    await expect
      .poll(async () => (await get('chasqui/scale/mail')).body)
      .toMatchObject({ jobsWanted: 2, due: 1, dueSchedules: 1, delayed: 0, waiting: 0 });
    await mail.pauseJobScheduler('poll');
    expect((await get('chasqui/scale/mail')).body).toMatchObject({ jobsWanted: 1, dueSchedules: 0 });
  });

  it('sees the queue as its consumer group does, also where no worker of this process is', async () => {
    const { app, get } = await api();
    const { stream } = queueOf(app, 'orders').keys;
    await queueOf(app, 'orders').add('place', 1);
    await redis.client.xgroup('CREATE', stream, 'shop', '0');
    await redis.client.xreadgroup('GROUP', 'shop', 'somebody', 'COUNT', 1, 'STREAMS', stream, '>');
    expect((await get('chasqui/scale/orders')).body).toMatchObject({ waiting: 0, active: 1, jobsWanted: 1 });
  });

  it('has an unknown queue: 404, with the nearest name', async () => {
    const { get } = await api();
    for (const [path = '', message = ''] of [
      ['mails', 'This process uses no queue "mails". Did you mean "mail"?'],
      ['%20', 'This process uses no queue " ". Correct the name'],
      ['__proto__', 'This process uses no queue "__proto__". Correct the name'],
      ['a%0Ab%1b', 'This process uses no queue "a\\nb\\x1b". Correct the name'],
    ]) {
      expect(await get(`chasqui/scale/${path}`)).toMatchObject({
        status: 404,
        body: { statusCode: 404, code: 'CMQ-330', message: expect.stringContaining(message) as string },
      });
    }
    expect(logs).toEqual([]);
  });

  it('answers 503 in time while Redis hangs, logs it once, and recovers', async () => {
    const { get } = await api({ timeoutMs: 200 });
    expect((await get('chasqui/scale/mail')).status).toBe(200);
    redis.server.pause();
    const begun = performance.now();
    for (let i = 0; i < 2; i++) {
      const { status, body } = await get('chasqui/scale/mail');
      expect(status).toBe(503);
      expect(body).toMatchObject({ statusCode: 503, code: 'CMQ-001' });
      expect(JSON.stringify(body)).not.toContain('127.0.0.1');
    }
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(logs).toEqual([expect.stringMatching(/^No numbers of queue "mail": .*no answer within 200 ms/)]);
    redis.server.resume();
    await expect.poll(async () => (await get('chasqui/scale/mail')).status).toBe(200);
  });

  it('answers 503 in time while Redis is down', async () => {
    const { get } = await api({ timeoutMs: 200 });
    await redis.server.kill();
    const begun = performance.now();
    expect(await get('chasqui/scale/mail')).toMatchObject({ status: 503, body: { code: 'CMQ-001' } });
    expect(performance.now() - begun).toBeLessThan(5_000);
    await redis.server.restart();
    await expect.poll(async () => (await get('chasqui/scale/mail')).status, { timeout: 10_000 }).toBe(200);
  });

  it('is where `path` says, behind a prefix, in every version', async () => {
    const { get } = await api({ path: 'internal/scale' }, {}, (app) => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.HEADER, header: 'version', defaultVersion: '2' });
    });
    expect((await get('api/internal/scale/mail')).status).toBe(200);
    expect((await get('api/internal/scale/mail', { version: '1' })).status).toBe(200);
    expect((await get('chasqui/scale/mail')).status).toBe(404);
  });

  it('serves a ChasquiServer, in an application without ChasquiModule', async () => {
    @Controller()
    class Prices {
      @MessagePattern('price')
      price() {
        return 42;
      }
    }
    const compiled = await Test.createTestingModule({
      imports: [ChasquiScalerModule.forRoot()],
      controllers: [Prices],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    app.connectMicroservice({
      strategy: new ChasquiServer({ queue: 'prices', connection: redis.connection }),
    });
    await app.startAllMicroservices();
    await app.init();
    expect(await app.get(ChasquiScaler).report('prices')).toMatchObject({ jobsWanted: 0 });
    await expect(app.get(ChasquiScaler).report('mail')).rejects.toMatchObject({ code: 'CMQ-330' });
    for (const name of [undefined, null, 5, {}]) {
      await expect(app.get(ChasquiScaler).report(name as never)).rejects.toMatchObject({ code: 'CMQ-004' });
    }
  });

  it('is in the application that has the workers, too', async () => {
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      send() {}
    }
    const compiled = await Test.createTestingModule({
      imports: [
        ChasquiModule.forRoot({ connection: redis.connection }),
        ChasquiModule.forFeature('mail'),
        ChasquiScalerModule.forRoot(),
      ],
      providers: [MailProcessor],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.init();
    expect(await app.get(ChasquiScaler).report('mail')).toMatchObject({ jobsWanted: 0 });
  });
});

describe('guards', () => {
  @Injectable()
  class Tokens {
    readonly valid = 'of this test';
  }

  @Module({ providers: [Tokens], exports: [Tokens] })
  class TokensModule {}

  @Injectable()
  class TokenGuard implements CanActivate {
    constructor(private readonly tokens: Tokens) {}

    canActivate(context: ExecutionContext): boolean {
      const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
      return headers['authorization'] === `Bearer ${this.tokens.valid}`;
    }
  }

  it('a class gets its dependencies from `imports`', async () => {
    const { get } = await api({ guards: [TokenGuard], imports: [TokensModule] });
    expect((await get('chasqui/scale/mail')).status).toBe(403);
    expect((await get('chasqui/scale/unknown')).status).toBe(403);
    expect((await get('chasqui/scale/mail', { authorization: 'Bearer of this test' })).status).toBe(200);
  });

  it('an instance works as well', async () => {
    const { get } = await api({ guards: [{ canActivate: () => false }] });
    expect((await get('chasqui/scale/mail')).status).toBe(403);
  });

  it.each([
    [{ guards: [{}] }, 'option "guards" must be an array of guards'],
    [{ guards: TokenGuard }, 'option "guards" must be an array of guards'],
    [{ guard: [TokenGuard] }, 'Did you mean "guards"'],
    [{ path: ' ' }, 'option "path"'],
    [{ path: '/' }, '"path" must be a path of plain segments'],
    [{ path: ':x' }, '"path" must be a path of plain segments'],
    [{ path: 'a b' }, '"path" must be a path of plain segments'],
    [{ path: '../a' }, '"path" must be a path of plain segments'],
    [{ timeoutMs: 0 }, 'option "timeoutMs"'],
  ])('wrong options are refused: %j', (options, message) => {
    expect(() => ChasquiScalerModule.forRoot(options as never)).toThrow(message);
  });
});
