import { Controller, Module, Post, type INestApplication } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PeriodicExportingMetricReader, MeterProvider } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:http';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ChasquiModule, InjectQueue, OnJob, Processor, type Job, type Queue } from '../../lib/index.js';
import { ChasquiClient, ChasquiServer } from '../../lib/microservices/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { FAST, SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { decodeMetrics, decodeSpans } from './support/otlp.js';
import { inRequest, useSdk } from './support/sdk.js';

const redis = useRedis();
const sdk = useSdk();

let open: { close: () => Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  open = [];
});

/** The instrumentation that applications use. It changes the module `http` of Node when something asks for that. */
const instrumentation = new HttpInstrumentation({
  // The receiver of a test is in this process too.
  ignoreIncomingRequestHook: ({ url = '' }) => url.startsWith('/v1/'),
});
createRequire(import.meta.url)('node:http');
beforeEach(() => {
  instrumentation.setTracerProvider(trace.getTracerProvider());
  instrumentation.enable();
});
afterEach(() => {
  instrumentation.disable();
});

/** An API that adds a job per request, and a worker that succeeds at the third attempt. */
async function serve(options: { role?: 'producer' } = {}): Promise<string> {
  @Controller()
  class Api {
    constructor(@InjectQueue('welcome') private readonly queue: Queue) {}
    @Post('signup')
    async signUp(): Promise<string> {
      return (await this.queue.add('mail', {})).id;
    }
  }

  @Processor('welcome')
  class Mails {
    @OnJob('mail')
    send(job: Job): void {
      if (job.attemptsMade < 3) throw new Error('try again');
    }
  }

  @Module({
    imports: [
      ChasquiModule.forRoot({
        connection: { ...redis.connection },
        telemetry: new ChasquiTelemetry(),
        workerOptions: FAST,
        ...(options.role === 'producer' && { workers: false }),
      }),
      ChasquiModule.forFeature('welcome'),
    ],
    controllers: [Api],
    providers: [Mails],
  })
  class AppModule {}

  const app: INestApplication = await NestFactory.create(AppModule, { logger: SILENT });
  open.push(app);
  const server = (await app.listen(0, '127.0.0.1')) as Server;
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/signup`;
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const HEADERS = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };

it('a request over HTTP, its add, two failed attempts and the success are one trace', async () => {
  const url = await serve();
  const response = await fetch(url, { method: 'POST', headers: HEADERS });
  const id = await response.text();
  await vi.waitFor(() => {
    expect(sdk.named('process welcome')).toHaveLength(3);
  }, 8_000);
  expect(new Set(sdk.spans().map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE]));
  const [request] = sdk.spans().filter(({ kind }) => kind === SpanKind.SERVER);
  expect(request?.attributes['http.response.status_code'] ?? request?.attributes['http.status_code']).toBe(
    201,
  );
  const [send] = sdk.named('send welcome');
  expect(send?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
  for (const run of sdk.named('process welcome')) {
    expect(run.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
    expect(run.attributes['messaging.message.id']).toBe(id);
  }
  expect(sdk.named('process welcome').map(({ status }) => status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ]);
});

it('a process that only adds jobs has spans and gauges', async () => {
  const url = await serve({ role: 'producer' });
  await fetch(url, { method: 'POST', headers: HEADERS });
  expect(sdk.named('send welcome')).toHaveLength(1);
  const labels = { 'messaging.destination.name': 'welcome', 'chasqui.job.state': 'waiting' };
  expect(await sdk.value('chasqui.queue.jobs', labels)).toBe(1);
  expect(await sdk.value('chasqui.worker.concurrency', {})).toBeUndefined();
});

it('a worker has counters of the jobs that it has handlers for, with 0, before any comes', async () => {
  await serve();
  const mails = { 'messaging.destination.name': 'welcome', 'chasqui.job.name': 'mail' };
  expect(await sdk.value('messaging.client.sent.messages', mails)).toBe(0);
  expect(await sdk.value('messaging.client.consumed.messages', mails)).toBe(0);
  const dead = { ...mails, 'chasqui.job.outcome': 'dead-lettered' };
  expect(await sdk.value('chasqui.jobs.ended', { ...dead, 'chasqui.dead_letter.reason': 'expired' })).toBe(0);
});

it('send() of a client and the handler of the message are one trace', async () => {
  @Controller()
  class Prices {
    @MessagePattern('price')
    price(): number {
      trace.getTracer('app').startSpan('look up').end();
      return 42;
    }
    @EventPattern('paid')
    paid(_data: unknown): void {
      trace.getTracer('app').startSpan('store').end();
    }
  }
  @Module({ controllers: [Prices] })
  class PricesModule {}

  const telemetry = new ChasquiTelemetry();
  const connection = { ...redis.connection };
  const server = await NestFactory.createMicroservice(PricesModule, {
    strategy: new ChasquiServer({ queue: 'prices', connection, telemetry }),
    logger: SILENT,
  });
  await server.listen();
  const client = new ChasquiClient({ queue: 'prices', connection, telemetry });
  open.push(server, client);
  const request = await inRequest(async () => {
    expect(await firstValueFrom(client.send('price', {}))).toBe(42);
    await firstValueFrom(client.emit('paid', {}));
  });
  await vi.waitFor(() => {
    expect(sdk.named('process prices')).toHaveLength(2);
  });
  const { traceId } = request.spanContext();
  for (const span of sdk.spans()) expect(span.spanContext().traceId, span.name).toBe(traceId);
  expect(sdk.spans().map(({ name }) => name)).toEqual(expect.arrayContaining(['look up', 'store']));
});

/** A receiver of OTLP over HTTP: it keeps the bodies that arrive. */
async function receiver(): Promise<{ url: string; bodies: Map<string, Buffer[]> }> {
  const bodies = new Map<string, Buffer[]>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      bodies.set(path, [...(bodies.get(path) ?? []), Buffer.concat(chunks)]);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, bodies };
}

it('over OTLP: the same trace and the same numbers arrive as protobuf', async () => {
  const { url: otlp, bodies } = await receiver();
  const processor = new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${otlp}/v1/traces` }));
  const { NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  trace.disable();
  const tracers = new NodeTracerProvider({ spanProcessors: [processor] });
  trace.setGlobalTracerProvider(tracers);
  instrumentation.setTracerProvider(tracers);
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${otlp}/v1/metrics` }),
    exportIntervalMillis: 2_147_483_647,
  });
  const { metrics } = await import('@opentelemetry/api');
  metrics.disable();
  const meters = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(meters);
  const url = await serve();
  await fetch(url, { method: 'POST', headers: HEADERS });
  await vi.waitFor(async () => {
    await tracers.forceFlush();
    const spans = (bodies.get('/v1/traces') ?? []).flatMap(decodeSpans);
    expect(spans.filter(({ name }) => name === 'process welcome')).toHaveLength(3);
  }, 8_000);
  const spans = (bodies.get('/v1/traces') ?? []).flatMap(decodeSpans);
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
  expect(spans.map(({ name }) => name).sort()).toEqual([
    'POST',
    'process welcome',
    'process welcome',
    'process welcome',
    'send welcome',
  ]);
  await vi.waitFor(async () => {
    await meters.forceFlush();
    const names = (bodies.get('/v1/metrics') ?? []).flatMap(decodeMetrics);
    expect(names).toEqual(
      expect.arrayContaining(['chasqui.jobs.ended', 'messaging.process.duration', 'chasqui.queue.jobs']),
    );
  });
  await tracers.shutdown();
  await meters.shutdown();
});
