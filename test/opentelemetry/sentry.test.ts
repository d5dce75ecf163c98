import type { ExceptionFilter, ArgumentsHost, INestApplication } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import type { Job, Queue } from '../../lib/index.js';
import { FAST, SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';

/** What this test reads of an event. */
interface SentryEvent {
  readonly type?: string;
  readonly transaction?: string;
  readonly exception?: { readonly values: readonly { readonly type: string; readonly value: string }[] };
  readonly contexts: {
    readonly trace: {
      readonly trace_id: string;
      readonly op?: string;
      readonly data?: Record<string, unknown>;
    };
    readonly job?: Record<string, unknown>;
  };
}

/** Steps 1 to 3 of docs/monitoring.md, before anything else is loaded. The transport keeps what it should send. */
const { Sentry, sent } = await vi.hoisted(async () => {
  const sentry = await import('@sentry/node');
  const received: SentryEvent[] = [];
  sentry.init({
    dsn: 'http://public@127.0.0.1:1/1',
    tracesSampleRate: 1,
    ignoreTransactions: [/^redis-/],
    beforeSendTransaction: (event) => {
      const job: unknown = event.contexts?.trace?.data?.['chasqui.job.name'];
      if (typeof job === 'string') event.transaction = `${event.transaction ?? ''} ${job}`;
      return event;
    },
    transport: () =>
      sentry.createTransport({ recordDroppedEvent: () => undefined }, ({ body }) => {
        for (const line of Buffer.from(body).toString().split('\n').slice(1)) {
          const item = (line === '' ? {} : JSON.parse(line)) as Partial<SentryEvent>;
          if (item.contexts) received.push(item as SentryEvent);
        }
        return Promise.resolve({ statusCode: 200 });
      }),
  });
  return { Sentry: sentry, sent: received };
});

const redis = useRedis();
let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
});
afterAll(async () => {
  await Sentry.close(1_000);
});

it('shows each run of a job as a transaction with its name, and each failed attempt as an event with the job, in one trace', async () => {
  const { Catch, Controller, Module, Post, UseFilters } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ChasquiModule, InjectQueue, OnJob, Processor } = await import('../../lib/index.js');
  const { ChasquiTelemetry } = await import('../../lib/opentelemetry/index.js');

  /** Step 4. */
  @Catch()
  class Reporting implements ExceptionFilter {
    catch(error: unknown, host: ArgumentsHost): void {
      const { id, name, attemptsMade } = host.getArgByIndex<Job>(0);
      Sentry.captureException(error, { contexts: { job: { id, name, attemptsMade } } });
    }
  }

  @Controller()
  class Api {
    constructor(@InjectQueue('welcome') private readonly queue: Queue) {}
    @Post('signup')
    async signUp(): Promise<string> {
      return (await this.queue.add('mail', {})).id;
    }
  }

  @Processor('welcome')
  @UseFilters(new Reporting())
  class Mails {
    @OnJob('mail')
    send(job: Job): void {
      if (job.attemptsMade < 3) throw new RangeError('try again');
    }
  }

  @Module({
    imports: [
      ChasquiModule.forRoot({
        connection: { ...redis.connection },
        telemetry: new ChasquiTelemetry(),
        workerOptions: FAST,
      }),
      ChasquiModule.forFeature('welcome'),
    ],
    controllers: [Api],
    providers: [Mails],
  })
  class AppModule {}

  app = await NestFactory.create(AppModule, { logger: SILENT });
  await app.listen(0, '127.0.0.1');
  const id = await (await fetch(`${await app.getUrl()}/signup`, { method: 'POST' })).text();

  const runs = (): SentryEvent[] => sent.filter(({ transaction }) => transaction === 'process welcome mail');
  await vi.waitFor(
    async () => {
      await Sentry.flush(1_000);
      expect(runs().map(({ contexts }) => contexts.trace.data?.['chasqui.job.outcome'])).toEqual([
        'retried',
        'retried',
        'completed',
      ]);
    },
    { timeout: 10_000 },
  );
  await sleep(50);
  await Sentry.flush(1_000);

  const errors = sent.filter(({ exception }) => exception);
  expect(errors.map(({ exception }) => exception?.values[0])).toMatchObject([
    { type: 'RangeError', value: 'try again' },
    { type: 'RangeError', value: 'try again' },
  ]);
  expect(errors.map(({ contexts }) => contexts.job)).toEqual([
    { id, name: 'mail', attemptsMade: 1 },
    { id, name: 'mail', attemptsMade: 2 },
  ]);
  const request = sent.find(({ transaction }) => transaction === 'POST /signup');
  const traces = [request, ...runs(), ...errors].map((event) => event?.contexts.trace.trace_id);
  expect(traces).toHaveLength(6);
  expect(new Set(traces)).toEqual(new Set([request?.contexts.trace.trace_id ?? 'no request']));
  expect(runs().every(({ contexts }) => contexts.trace.data?.['messaging.message.id'] === id)).toBe(true);
  expect(sent.filter(({ transaction }) => transaction?.startsWith('redis-'))).toEqual([]);
});
