import {
  Module,
  ValidationPipe,
  type INestApplicationContext,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { ContextIdFactory, type ContextIdStrategy } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ChasquiModule, currentJob, OnJob, Processor, type ChasquiModuleOptions } from '../../lib/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { queueOf, runJob, runsOf, useApps, workerOf } from '../nest/support/apps.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start, startModule, logs } = useApps(redis);
const { block } = docsPage('docs/nest-handlers.md', redis);

/** An application of these providers and one queue. */
function serve(queue: string, providers: Type[], root: Partial<ChasquiModuleOptions> = {}) {
  return start({ imports: [ChasquiModule.forFeature(queue)], providers }, root);
}

/** The only dead letter of a queue. */
async function deadLetter(app: INestApplicationContext, queue: string) {
  const letters = await queueOf(app, queue).peekDlq();
  expect(letters).toHaveLength(1);
  return letters[0];
}

describe('by name', () => {
  const byName = block<{ MailProcessor: Type }>('By name');
  const results = block<{ BulkProcessor: Type }>('By name', 2);
  const limited = block<{ ReportProcessor: Type }>('Time limits');

  it('an exact name goes before a pattern, that before the catch-all', async () => {
    const { MailProcessor } = await byName();
    const app = await serve('mail', [MailProcessor]);
    for (const name of ['opened', 'clicked', 'bounce.hard'])
      expect((await runJob(app, 'mail', name)).result).toEqual({ tracked: name });
    expect((await runJob(app, 'mail', 'other')).result).toBe('nobody else wants other');
  });

  it('a handler has time limits of its own, and none with Infinity', async () => {
    const { ReportProcessor } = await limited();
    const app = await serve('reports', [ReportProcessor]);
    const { limitsOf, timeoutMs } = workerOf(app, 'reports').opts;
    expect(limitsOf?.('preview')).toEqual({ timeoutMs: 10_000, ttlMs: 60_000, expired: 'drop' });
    expect([limitsOf?.('yearly'), timeoutMs]).toEqual([{ timeoutMs: Infinity }, 600_000]);
    expect((await runJob(app, 'reports', 'yearly')).result).toBe('as long as it takes');
  });

  it('a handler gets data, job and signal', async () => {
    const received: string[] = [];
    const server = createServer((request, response) => {
      request
        .setEncoding('utf8')
        .on('data', (body: string) => received.push(`${String(request.url)} ${body}`));
      request.on('end', () => response.end());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      vi.stubEnv('MAIL_API', `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
      const { MailProcessor } = await byName();
      const app = await serve('mail', [MailProcessor]);
      const progress = once(workerOf(app, 'mail'), 'progress');
      const { job, error } = await runJob(app, 'mail', 'send', { to: 'ada@example.com' });
      expect([error, job.progress, received]).toEqual([undefined, 100, ['/send ada@example.com']]);
      await progress;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('a job without a handler becomes a dead letter that says so; with a handler, it can be replayed', async () => {
    const { BulkProcessor } = await results();
    const before = await serve('mail', [BulkProcessor]);
    const { job } = await runJob(before, 'mail', 'opened');
    expect(await deadLetter(before, 'mail')).toMatchObject({
      reason: 'unrecoverable',
      detail: expect.stringContaining('"opened"') as string,
    });
    await before.close();
    const { MailProcessor } = await byName();
    const after = await serve('mail', [MailProcessor]);
    expect(await queueOf(after, 'mail').replayDlq(1)).toBe(1);
    await waitForJob(queueOf(after, 'mail'), job.id, 'completed');
  });

  it('what a handler returns is the result, what it throws the error', async () => {
    const { BulkProcessor } = await results();
    const app = await serve('mail', [BulkProcessor]);
    expect((await runJob(app, 'mail', 'bulk', { to: ['a', 'b'] })).result).toBe('b');

    expect((await runJob(app, 'mail', 'single', { to: 'ada' })).error?.name).toBe('UnknownAddress');
    const runs = runsOf(app, 'mail');
    const first = runs.next(); // it listens from here on
    await queueOf(app, 'mail').add('single', { to: 'ada@example.com' }, { attempts: 2 });
    const attempts = [(await first).value, (await runs.next()).value];
    expect(attempts.map(({ job }) => job.attemptsMade)).toEqual([1, 2]);
    const letters = await queueOf(app, 'mail').peekDlq();
    expect(letters.map(({ reason, detail }) => [reason, detail])).toEqual([
      ['unrecoverable', '"ada" will never be an address'],
      ['retries_exhausted', 'the mail server is away'],
    ]);
    // Each failed attempt is logged once, with the job's id.
    expect(logs).toHaveLength(3);
    expect(logs[1]).toContain(attempts[0]?.job.id);
  });
});

describe('parameters', () => {
  const params = block<{ InvoiceProcessor: Type }>('Parameters');

  it('are injected, through pipes, also by decorators of one’s own', async () => {
    const { InvoiceProcessor } = await params();
    const app = await serve('invoices', [InvoiceProcessor]);
    const { job, result } = await runJob(app, 'invoices', 'print', { tenant: 'acme', copies: '3' });
    expect(result).toEqual({ id: job.id, attempt: 1, tenant: 'acme', copies: 3 });
  });

  it('of a job without data are refused by their pipes, and crash nothing', async () => {
    const { InvoiceProcessor } = await params();
    const app = await serve('invoices', [InvoiceProcessor]);
    const { error } = await runJob(app, 'invoices', 'print', null);
    expect(error).toMatchObject({ code: 'CMQ-322' });
  });
});

describe('validate', () => {
  const validate = block<{ WelcomeProcessor: Type }>('Validate');

  it('what is wrong is a dead letter that lists the violations', async () => {
    const { WelcomeProcessor } = await validate();
    const app = await serve('welcome', [WelcomeProcessor]);
    expect((await runJob(app, 'welcome', 'send', { to: 'ada@example.com' })).result).toBe('ada@example.com');
    await runJob(app, 'welcome', 'send', { to: 'ada' });
    expect(await deadLetter(app, 'welcome')).toMatchObject({
      reason: 'unrecoverable',
      // As the page says it.
      detail: 'Payload rejected by a pipe of WelcomeProcessor.send (AppModule): to must be an email',
    });
  });
});

describe('validate, globally', () => {
  const global = block<{ AppModule: Type; WelcomeProcessor: Type }>('Validate', 2);

  it.each(['APP_PIPE', 'app.useGlobalPipes'])('with %s', async (how) => {
    const { AppModule, WelcomeProcessor } = await global();
    let app: INestApplicationContext;
    if (how === 'APP_PIPE') app = await startModule(AppModule);
    else {
      @Module({ imports: [ChasquiModule.forFeature('welcome')], providers: [WelcomeProcessor] })
      class Welcome {}
      const root = ChasquiModule.forRoot({
        connection: redis.connection,
        globalEnhancers: { pipes: true },
      });
      const module = await Test.createTestingModule({ imports: [root, Welcome] })
        .setLogger(SILENT)
        .compile();
      const http = module.createNestApplication();
      app = await http.useGlobalPipes(new ValidationPipe({ transform: true })).init();
    }
    try {
      const { job, result } = await runJob(app, 'welcome', 'send', { to: 'ada@example.com' });
      expect(result).toEqual({ id: job.id, isDto: true });
      await runJob(app, 'welcome', 'send', { to: 'ada' });
      expect((await deadLetter(app, 'welcome'))?.detail).toContain('to must be an email');
    } finally {
      await app.close();
    }
  });
});

describe('guards, interceptors, filters', () => {
  interface Intercepting {
    intercept(): unknown;
  }
  const guarded = block<{ MailProcessor: Type; Timeout: Type<Intercepting> }>(
    'Guards, interceptors, filters',
  );
  const filtered = block<{ MailProcessor: Type }>('Guards, interceptors, filters', 2);

  it('a guard refuses, an interceptor is around the handler', async () => {
    const { MailProcessor, Timeout } = await guarded();
    const intercept = vi.spyOn(Timeout.prototype as Intercepting, 'intercept');
    const app = await serve('mail', [MailProcessor]);
    expect((await runJob(app, 'mail', 'send', { tenant: 'acme' })).result).toBe('sent');
    expect(intercept).toHaveBeenCalledTimes(1);
    await runJob(app, 'mail', 'send', {});
    expect(intercept).toHaveBeenCalledTimes(1);
    expect(await deadLetter(app, 'mail')).toMatchObject({ reason: 'unrecoverable' });
  });

  it('a job without data, as of a schedule, is refused as one without a tenant is', async () => {
    const { MailProcessor } = await guarded();
    const app = await serve('mail', [MailProcessor]);
    expect((await runJob(app, 'mail', 'send', null)).error).toMatchObject({ code: 'CMQ-323' });
  });

  it('a filter turns errors into results, and into other errors', async () => {
    const { MailProcessor } = await filtered();
    const app = await serve('mail', [MailProcessor]);
    const { job, result } = await runJob(app, 'mail', 'again');
    expect(result).toEqual({ skipped: job.id });
    await runJob(app, 'mail', 'bounce');
    expect(await deadLetter(app, 'mail')).toMatchObject({
      reason: 'unrecoverable',
      detail: 'no such mailbox',
    });
  });
});

describe('request scope', () => {
  const scoped = block<{ JobLog: Type; MailProcessor: Type }>('Request scope');

  it('a provider is made for each job, and gets it', async () => {
    const { JobLog, MailProcessor } = await scoped();
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const app = await serve('mail', [JobLog, MailProcessor]);
    const jobs = [(await runJob(app, 'mail', 'send')).job, (await runJob(app, 'mail', 'send')).job];
    expect(log.mock.calls).toEqual(jobs.map(({ id }) => [`[${id}] sending`]));
  });
});

describe('durable providers', () => {
  interface Page {
    TenantStrategy: new () => ContextIdStrategy;
    TenantCounter: Type;
    MailProcessor: Type;
  }
  const durable = block<Page>('Request scope', 2);

  afterEach(() => {
    ContextIdFactory.apply({ attach: (contextId) => () => contextId });
  });

  it('live as long as their tenant', async () => {
    const { TenantStrategy, TenantCounter, MailProcessor } = await durable();
    ContextIdFactory.apply(new TenantStrategy());
    const app = await serve('mail', [TenantCounter, MailProcessor]);
    const results = [];
    for (const tenant of ['a', 'b', 'a'])
      results.push((await runJob(app, 'mail', 'send', { tenant })).result);
    expect(results).toEqual(['a: 1', 'b: 1', 'a: 2']);
    // A job of a schedule has no data.
    expect((await runJob(app, 'mail', 'send', null)).result).toBe('none: 1');
  });
});

describe('the current job, from anywhere', () => {
  const logger = block<{ JobLogger: new (context: string) => LoggerService }>(
    'The current job, from anywhere',
  );
  const store = block<{ AppModule: Type }>('The current job, from anywhere', 2);

  @Processor('mail')
  class MailProcessor {
    static logger: LoggerService | undefined;
    @OnJob('send')
    async send() {
      await Promise.resolve();
      MailProcessor.logger?.log('sending');
      return currentJob()?.job.id;
    }
  }

  it('is in each line of a log', async () => {
    const { JobLogger } = await logger();
    MailProcessor.logger = new JobLogger('Mail');
    const written: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    const app = await serve('mail', [MailProcessor], { trackCurrentJob: true });
    const { job, result } = await runJob(app, 'mail', 'send');
    vi.mocked(process.stdout.write).mockRestore();
    expect(result).toBe(job.id);
    expect(written.filter((line) => line.includes('sending'))).toEqual([
      expect.stringContaining(`[Mail ${job.id}]`),
    ]);
  });

  it('is unknown unless it is tracked', async () => {
    MailProcessor.logger = undefined;
    const app = await serve('mail', [MailProcessor]);
    expect((await runJob(app, 'mail', 'send')).result).toBeUndefined();
  });

  it('has a store', async () => {
    const { AppModule } = await store();
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const app = await startModule(AppModule);
    const { job } = await runJob(app, 'mail', 'send');
    expect(log.mock.calls).toEqual([[job.id, 'update mails set sent = true']]);
  });
});
