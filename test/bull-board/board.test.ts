import { setTimeout as delay } from 'node:timers/promises';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Scope,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { of, type Observable } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ChasquiBoardModule, UnguardedBoardError } from '../../lib/bull-board/index.js';
import { ChasquiModule, ChasquiQueues } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { CHANGES } from './support/changes.js';
import { useBoards, type BoardApp, type ShownQueue } from './support/boards.js';

const redis = useRedis();
const boards = useBoards(redis);
const mail = ChasquiModule.forFeature({ name: 'mail', trackJobs: true });

afterEach(() => {
  vi.unstubAllEnvs();
});

const queuesOf = async (app: BoardApp, base = '/queues'): Promise<readonly ShownQueue[]> =>
  (await app.call('GET', `${base}/api/queues`)).body.queues;

describe.each(['express', 'fastify'] as const)('with %s', (library) => {
  test('the board is at its path, below the global prefix, with its own scripts', async () => {
    const app = await boards.start({
      library,
      prefix: 'v1/api',
      imports: [mail],
      board: { path: 'admin/queues', guard: false },
    });
    for (const path of ['', '/', '/queue/mail', '/queue/mail/some%2Fjob?status=failed', '/job-schedulers']) {
      const page = await app.call('GET', `/v1/api/admin/queues${path}`);
      expect(page.status).toBe(200);
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(page.text).toContain('<base href="/v1/api/admin/queues/" />');
      expect(page.text).not.toMatch(/https?:\/\/(?!127)/);
    }
    const { text } = await app.call('GET', '/v1/api/admin/queues/');
    for (const [, file] of text.matchAll(/(?:src|href)="(static\/[^"]+)"/g)) {
      const asset = await app.call('GET', `/v1/api/admin/queues/${file!}`);
      expect(asset.status, file).toBe(200);
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
      expect(asset.text.length).toBeGreaterThan(100);
    }
    expect((await queuesOf(app, '/v1/api/admin/queues')).map(({ name }) => name)).toEqual(['mail']);
  });

  test('behind a proxy that cuts off a prefix, the page names the whole path', async () => {
    const app = await boards.start({ library, imports: [mail] });
    const page = (prefix: string) => app.call('GET', '/queues', undefined, { 'x-forwarded-prefix': prefix });
    expect((await page('/backoffice/')).text).toContain('<base href="/backoffice/queues/" />');
    expect((await page('//evil.example')).text).toContain('<base href="/queues/" />');
    expect((await page('"><script>')).text).toContain('<base href="/queues/" />');
  });

  test('no file beside those of the board is served', async () => {
    const app = await boards.start({ library, imports: [mail] });
    for (const path of [
      'index.ejs',
      'static/../index.ejs',
      'static/%2e%2e/index.ejs',
      'static/..%2f..%2fpackage.json',
      'static',
    ]) {
      expect((await app.call('GET', `/queues/${path}`)).status, path).toBe(404);
    }
    expect((await app.call('POST', '/queues/queue/mail', {})).status).toBe(405);
    expect((await app.call('GET', '/queues/api/nothing')).status).toBe(404);
    expect((await app.call('GET', '/queues/api/queues/%E0%A4%A/x')).status).toBe(400);
  });

  test('adds, edits, lists, promotes, removes', async () => {
    const app = await boards.start({ library, imports: [mail], root: { workers: false } });
    const api = '/queues/api/queues/mail';
    const options = { delay: 60_000, attempts: 4, jobId: 'a/b ü%' };
    const added = await app.call('POST', `${api}/add`, { name: 'hi', data: { n: 1 }, options });
    expect(added.body).toMatchObject({
      status: 'delayed',
      job: { id: 'a/b ü％', name: 'hi', data: { n: 1 } },
    });
    expect((await app.call('POST', `${api}/add`, { name: 'hi', data: {}, options })).status).toBe(409);
    const id = encodeURIComponent('a/b ü%');
    const { job } = (await app.call('GET', `${api}/${id}`)).body;
    expect(job.opts).toMatchObject({ attempts: 4, delay: job.delay });
    expect(Math.abs(job.timestamp + job.delay - Date.now() - 60_000)).toBeLessThan(5_000);
    expect((await app.call('PATCH', `${api}/${id}/update-data`, { jobData: { n: 2 } })).status).toBe(200);
    expect((await app.call('PATCH', `${api}/${id}/delay`, { runAt: Date.now() + 90_000 })).status).toBe(200);
    expect((await app.call('PUT', `${api}/${id}/promote`)).status).toBe(204);
    const waiting = (await app.call('GET', '/queues/api/queues?activeQueue=mail&status=waiting')).body
      .queues[0];
    expect(waiting).toMatchObject({
      counts: { waiting: 1, delayed: 0 },
      jobs: [{ id: 'a/b ü％', data: { n: 2 } }],
    });
    // It has moved since the page was opened.
    const again = await app.call('PUT', `${api}/${id}/promote`);
    expect(again.status).toBe(409);
    expect(again.body.message).toContain('job a/b ü% of queue "mail" is waiting');
    expect((await app.call('PUT', `${api}/${id}/clean`)).status).toBe(204);
    expect((await app.call('PUT', `${api}/${id}/clean`)).status).toBe(404);
    expect((await app.call('GET', `${api}/${id}`)).status).toBe(404);
  });
});

test('pages through a list from both ends, and shows every job once', async () => {
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  await app.queue('mail').addBulk([...Array(47).keys()].map((n) => ({ name: 'x', data: n })));
  const seen: unknown[] = [];
  for (let page = 1; page <= 6; page += 1) {
    const path = `/queues/api/queues?activeQueue=mail&status=waiting&page=${String(page)}`;
    seen.push(...(await app.call('GET', path)).body.queues[0]!.jobs.map(({ data }) => data));
  }
  expect(seen).toEqual([...Array(47).keys()].reverse());
});

test('data that JSON does not have, large data and bytes that are no job are shown as text', async () => {
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  const queue = app.queue('mail');
  const data = {
    big: 2n ** 60n,
    bytes: Buffer.from([1, 2, 255]),
    at: new Date(0),
    nan: NaN,
    nothing: undefined,
    text: 'a'.repeat(500_000),
    list: Array(50_000).fill('bcd'),
  };
  await queue.add('odd', data, { jobId: 'odd' });
  await redis.client.xadd(queue.keys.stream, '*', 'd', 'no job at all', 'n', '<b>');
  await redis.client.xadd(
    queue.keys.dlq,
    '*',
    'd',
    'no job at all',
    'reason',
    'malformed',
    'detail',
    'no Job',
  );
  const { job } = (await app.call('GET', '/queues/api/queues/mail/odd')).body;
  expect(job.data).toMatchObject({
    big: '⟦bigint 1152921504606846976⟧',
    bytes: '⟦Buffer, 3 bytes: 01 02 ff⟧',
    at: '⟦Date 1970-01-01T00:00:00.000Z⟧',
    nan: '⟦number NaN⟧',
  });
  expect(JSON.stringify(job.data)).toMatch(/⟦\d+ more characters⟧/);
  const latest = await app.call('GET', '/queues/api/queues?activeQueue=mail');
  expect(latest.status).toBe(200);
  expect(latest.text.length).toBeLessThan(20_000);
  const hex = '6e 6f 20 6a 6f 62 20 61 74 20 61 6c 6c';
  const raw = `⟦these bytes cannot be decoded: 13 bytes, as text: no job at all, in hex: ${hex}⟧`;
  const strange = latest.body.queues[0]!.jobs.filter(({ id }) => id?.startsWith('⟦'));
  expect(strange.map((one) => [one.name, one.data])).toEqual([
    ['<b>', raw],
    ['⟦no name⟧', raw],
  ]);
  expect(strange[1]!.stacktrace[0]).toBe('Dead letter, malformed: no Job');
  const edit = await app.call('PATCH', '/queues/api/queues/mail/odd/update-data', { jobData: {} });
  expect(edit.status).toBe(409);
  expect(
    (
      await app.call('POST', '/queues/api/queues/mail/add', {
        name: 'copy',
        options: {},
        data: { at: '⟦Date 1970-01-01T00:00:00.000Z⟧' },
      })
    ).status,
  ).toBe(400);
  expect((await app.call('GET', `/queues/api/queues/mail/${'x'.repeat(600)}`)).status).toBe(400);
});

test('counts and lists jobs with a priority', async () => {
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  await app.queue('mail').add('urgent', 1, { priority: 3 });
  await app.queue('mail').add('plain', 2);
  const list = (await app.call('GET', '/queues/api/queues?activeQueue=mail&status=prioritized')).body
    .queues[0]!;
  expect(list.counts).toMatchObject({ prioritized: 1, waiting: 1 });
  expect(list.jobs.map(({ name }) => name)).toEqual(['urgent']);
});

test('lists the jobs of groups among those that wait', async () => {
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  await app.queue('mail').add('plain', 1);
  await app.queue('mail').add('of acme', 2, { group: { id: 'acme', priority: 4 } });
  const list = (await app.call('GET', '/queues/api/queues?activeQueue=mail&status=waiting')).body.queues[0]!;
  expect(list.counts).toMatchObject({ waiting: 2, prioritized: 0 });
  expect(list.jobs.map(({ name }) => name).sort()).toEqual(['of acme', 'plain']);
  const job = list.jobs.find(({ name }) => name === 'of acme');
  expect(job?.opts).toMatchObject({ group: { id: 'acme', priority: 4 } });
});

test('pages of other sites cannot change jobs', async () => {
  const app = await boards.start({ imports: [mail] });
  const host = new URL(app.origin).host;
  for (const foreign of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: app.origin },
    { origin: 'http://evil.example' },
    { origin: `https://${host}.evil.example` },
    { origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' },
    { origin: 'null' },
    { origin: '' },
  ]) {
    const { status } = await app.call('PUT', '/queues/api/queues/mail/pause', undefined, foreign);
    expect(status, JSON.stringify(foreign)).toBe(403);
  }
  const form = await fetch(`${app.origin}/queues/api/queues/mail/add`, {
    method: 'POST',
    body: '{"name":"x"}',
  });
  expect(form.status).toBe(415);
  expect(await app.queue('mail').isPaused()).toBe(false);
  expect(await app.queue('mail').count()).toBe(0);
  // Browsers name the board's own page so; other clients send neither.
  for (const own of [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, { origin: app.origin }, {}]) {
    const { status } = await app.call('PUT', '/queues/api/queues/mail/pause', undefined, own);
    expect(status, JSON.stringify(own)).toBe(200);
  }
});

describe('read-only', () => {
  test('the server refuses every change, of one queue or of all', async () => {
    const both = ChasquiModule.forFeature('mail', 'orders');
    const queues = ['orders', { name: 'mail', readOnlyMode: true }];
    const one = await boards.start({ imports: [both], board: { guard: false, queues } });
    const all = await boards.start({ imports: [both], board: { guard: false, readOnly: true } });
    await one.queue('mail').add('x', 1, { jobId: 'job', delay: 50_000 });
    await one.queue('mail').upsertJobScheduler('nightly', { every: 60_000_000, immediately: false });
    for (const [method, path, body] of CHANGES) {
      for (const app of [one, all]) {
        expect((await app.call(method, `/queues/api/queues/mail/${path}`, body)).status, path).toBe(405);
      }
    }
    expect((await one.call('PUT', '/queues/api/queues/pause')).status).toBe(200);
    for (const change of ['pause', 'resume']) {
      expect((await all.call('PUT', `/queues/api/queues/${change}`)).status).toBe(405);
    }
    expect(await one.queue('mail').isPaused()).toBe(false);
    expect(await one.queue('orders').isPaused()).toBe(true);
    expect(await one.queue('mail').getJobCounts('delayed', 'waiting', 'repeat')).toMatchObject({
      delayed: 1,
      waiting: 0,
      repeat: 1,
    });
    expect((await queuesOf(one)).map(({ readOnlyMode }) => readOnlyMode).sort()).toEqual([false, true]);
    expect((await queuesOf(all)).every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
  });
});

describe('the guard', () => {
  @Injectable()
  class Key {
    readonly value = 'secret';
  }

  @Module({ providers: [Key], exports: [Key] })
  class KeyModule {}

  const isAllowed = (context: ExecutionContext, key: string): boolean =>
    context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-key'] === key;

  @Injectable()
  class KeyGuard implements CanActivate {
    constructor(private readonly key: Key) {}
    canActivate(context: ExecutionContext): boolean {
      return isAllowed(context, this.key.value);
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  class RequestGuard implements CanActivate {
    constructor(private readonly key: Key) {}
    canActivate(context: ExecutionContext): Observable<boolean> {
      return of(isAllowed(context, this.key.value));
    }
  }

  class SecretGuard implements CanActivate {
    canActivate(context: ExecutionContext): Promise<boolean> {
      return Promise.resolve(isAllowed(context, 'secret'));
    }
  }

  async function expectGuarded(app: BoardApp): Promise<void> {
    const asset = /static\/js\/main[^"]+/.exec(
      (await app.call('GET', '/queues', undefined, { 'x-key': 'secret' })).text,
    )![0];
    for (const path of [
      '/queues',
      '/queues/',
      '/queues/queue/mail',
      '/queues/api/queues',
      `/queues/${asset}`,
    ]) {
      expect((await app.call('GET', path)).status, path).toBe(403);
      expect((await app.call('GET', path, undefined, { 'x-key': 'secret' })).status, path).toBe(200);
    }
    expect((await app.call('PUT', '/queues/api/queues/mail/pause')).status).toBe(403);
    expect(await app.queue('mail').isPaused()).toBe(false);
  }

  test('as a class that needs a provider of another module', async () => {
    await expectGuarded(
      await boards.start({ imports: [mail], board: { guard: KeyGuard, imports: [KeyModule] } }),
    );
  });

  test('as a class that a module provides', async () => {
    await expectGuarded(
      await boards.start({
        imports: [mail],
        board: { guard: KeyGuard },
        providers: [Key, KeyGuard],
        library: 'fastify',
      }),
    );
  });

  test('as a class of which each request has an instance', async () => {
    await expectGuarded(
      await boards.start({ imports: [mail], board: { guard: RequestGuard }, providers: [Key, RequestGuard] }),
    );
  });

  test('as an instance', async () => {
    await expectGuarded(await boards.start({ imports: [mail], board: { guard: new SecretGuard() } }));
  });

  test('from an asynchronous factory', async () => {
    const board = ChasquiBoardModule.forRootAsync({
      imports: [KeyModule],
      inject: [Key],
      useFactory: (key: Key) => ({
        guard: { canActivate: (context: ExecutionContext) => isAllowed(context, key.value) },
      }),
    });
    await expectGuarded(
      await boards.start({ imports: [mail, board], board: { path: 'other', guard: false } }),
    );
  });

  test('guards that read metadata find that of the decorators, and an APP_GUARD guards the board', async () => {
    @Injectable()
    class RolesGuard implements CanActivate {
      constructor(@Inject(Reflector) private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        return (
          this.reflector.get<string>('role', context.getClass()) === 'anybody' || isAllowed(context, 'secret')
        );
      }
    }
    const providers = [{ provide: APP_GUARD, useClass: RolesGuard }];
    await expectGuarded(await boards.start({ imports: [mail], board: { guard: false }, providers }));
    const decorators = [SetMetadata('role', 'anybody')];
    const open = await boards.start({ imports: [mail], board: { guard: false, decorators }, providers });
    expect((await open.call('GET', '/queues')).status).toBe(200);
  });

  test('in production, a board without a guard does not start', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const start = boards.start({ imports: [mail], board: { path: 'admin' } });
    await expect(start).rejects.toThrow(UnguardedBoardError);
    await expect(start).rejects.toMatchObject({
      code: 'CMQ-325',
      message: expect.stringContaining('"/admin"') as string,
    });
    const app = await boards.start({ imports: [mail], board: { guard: false } });
    expect((await app.call('GET', '/queues')).status).toBe(200);
  });

  test('elsewhere, the log says that there is none', async () => {
    await boards.start({ imports: [mail], board: {} });
    expect(boards.logs.join('\n')).toContain('has no guard');
  });
});

describe('options', () => {
  test.each([
    [{ path: 'a/:b' }, /"path" must be a path of plain segments/],
    [{ path: 5 }, /"path" must be a path of plain segments/],
    [{ path: '../x' }, /"path" must be a path of plain segments/],
    [{ path: 'a/./b' }, /"path" must be a path of plain segments/],
    [{ path: '' }, /"path" must be a path of plain segments/],
    [{ guard: false, uiConfig: 5 }, /uiConfig/],
    [{ decorators: [5] }, /"decorators" must be an array of decorators/],
    [{ imports: 5 }, /imports must be an array/],
    [{ gaurd: false }, /did you mean "guard"/i],
    [{ guard: {} }, /guard class, an instance/],
    [{ guard: false, queues: ['mial'] }, /No queue "mial" is registered/],
    [{ guard: false, queues: [{ name: 'mail', readonlyMode: true }] }, /did you mean "readOnlyMode"/i],
  ])('%j stops the boot', async (board, message) => {
    await expect((async () => boards.start({ imports: [mail], board: board as never }))()).rejects.toThrow(
      message,
    );
  });

  test.each([null, 5, 'a', []])('%j is no options object', (options) => {
    expect(() => ChasquiBoardModule.forRoot(options as never)).toThrow(/forRoot: options must be an object/);
    expect(() => ChasquiBoardModule.forRootAsync(options as never)).toThrow(/options must be an object/);
  });

  test('routes beside the board stay, and a queue that is registered later appears', async () => {
    @Controller()
    class HomeController {
      @Get('queues-of-cars')
      home(): string {
        return 'home';
      }
    }
    const app = await boards.start({ imports: [mail], controllers: [HomeController] });
    expect((await app.call('GET', '/queues-of-cars')).text).toBe('home');
    app.app.get(ChasquiQueues).register({ name: 'later' });
    expect((await queuesOf(app)).map(({ name }) => name)).toEqual(['mail', 'later']);
  });
});

test('while Redis is down, the board says so and the application lives; then it goes on', async () => {
  const app = await boards.start({ imports: [mail], root: { workers: false } });
  expect((await queuesOf(app)).length).toBe(1);
  await redis.server.kill();
  const begun = performance.now();
  await vi.waitFor(async () => {
    const down = await app.call('GET', '/queues/api/queues?activeQueue=mail');
    expect(down.status).toBe(503);
    expect(down.body.error.key).toBe('ERRORS.REDIS_UNAVAILABLE');
    expect(down.body.message).toContain(`${redis.host}:${String(redis.port)}`);
  }, 15_000);
  expect(performance.now() - begun).toBeLessThan(15_000);
  const asked = performance.now();
  expect((await app.call('PUT', '/queues/api/queues/mail/pause')).status).toBe(503);
  expect((await app.call('POST', '/queues/api/queues/mail/add', { name: 'x', options: {} })).status).toBe(
    503,
  );
  // Nobody waits for a connection that is known to be lost.
  expect(performance.now() - asked).toBeLessThan(4_000);
  expect((await app.call('GET', '/queues/queue/mail')).status).toBe(200);
  await redis.server.restart();
  await vi.waitFor(async () => {
    expect((await app.call('GET', '/queues/api/queues')).status).toBe(200);
    await delay(50);
  }, 15_000);
});
