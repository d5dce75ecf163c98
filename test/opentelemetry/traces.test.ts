import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { describe, expect, it, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { KEYS, NAME, useKit } from '../redis/contract/kit.js';
import { inRequest, useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk();

const SEND = `send ${NAME}`;
const PROCESS = `process ${NAME}`;

const spanId = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
const traceId = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().traceId;

async function ended(count: number): Promise<ReadableSpan[]> {
  await vi.waitFor(() => {
    expect(sdk.named(PROCESS)).toHaveLength(count);
  }, 8_000);
  return sdk.named(PROCESS);
}

describe('continue', () => {
  it('a request, its add, two failed attempts and the success are one trace', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    const inHandler: (string | undefined)[] = [];
    kit.worker(
      async (job) => {
        // What the handler does is a part of the trace, after an await too.
        await Promise.resolve();
        const span = trace.getTracer('test').startSpan('query');
        inHandler.push((span as unknown as ReadableSpan).parentSpanContext?.spanId);
        span.end();
        if (job.attemptsMade < 3) throw new TypeError(`attempt ${String(job.attemptsMade)}`);
      },
      { telemetry },
    );
    let id = '';
    const request = await inRequest(async () => {
      ({ id } = await queue.add('welcome', { to: 'ada' }, { delay: 1 }));
    });
    const runs = await ended(3);

    const [send] = sdk.named(SEND);
    expect(send?.kind).toBe(SpanKind.PRODUCER);
    expect(send?.parentSpanContext?.spanId).toBe(spanId(request));
    expect(send?.attributes).toMatchObject({
      'messaging.system.name': 'chasqui',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': NAME,
      'messaging.message.id': id,
      'chasqui.job.name': 'welcome',
      'chasqui.job.delay': 0.001,
    });
    for (const run of runs) {
      expect(run.kind).toBe(SpanKind.CONSUMER);
      expect(traceId(run)).toBe(traceId(request));
      expect(run.parentSpanContext?.spanId).toBe(spanId(send));
      expect(run.links).toEqual([]);
    }
    expect(inHandler).toEqual(runs.map(spanId));
    expect(runs.map(({ attributes }) => attributes['chasqui.job.attempt'])).toEqual([1, 2, 3]);
    expect(runs.map(({ attributes }) => attributes['chasqui.job.outcome'])).toEqual([
      'retried',
      'retried',
      'completed',
    ]);
    expect(runs[0]?.attributes).toMatchObject({
      'messaging.consumer.group.name': 'default',
      'messaging.message.id': id,
      'chasqui.job.max_attempts': 3,
      'error.type': 'TypeError',
    });
    expect(runs[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'attempt 1' });
    expect(runs[0]?.events[0]?.attributes).toMatchObject({
      'exception.type': 'TypeError',
      'exception.message': 'attempt 1',
    });
    expect(runs[2]?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('a dead letter that is replayed stays in its trace', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    let isFixed = false;
    kit.worker(
      () => {
        if (!isFixed) throw new UnrecoverableError('no such address');
      },
      { telemetry },
    );
    const request = await inRequest(() => queue.add('welcome', {}));
    const [first] = await ended(1);
    expect(first?.attributes).toMatchObject({
      'chasqui.job.outcome': 'dead-lettered',
      'chasqui.dead_letter.reason': 'unrecoverable',
    });
    await vi.waitFor(async () => {
      expect(await queue.getFailedCount()).toBe(1);
    });
    isFixed = true;
    await queue.replayDlq();
    const [, second] = await ended(2);
    expect(traceId(second)).toBe(traceId(request));
    expect(second?.attributes['chasqui.job.outcome']).toBe('completed');
  });

  it('jobs of addBulk share one send span, and each of their attempts begins a trace that links to it', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    const AGAIN = { attempts: 2, backoff: 1 };
    await inRequest(() =>
      queue.addBulk(
        [1, 2, 3].map((n) => ({ name: 'welcome', data: n, opts: n === 3 ? { timeoutMs: 5_000 } : AGAIN })),
      ),
    );
    const [send] = sdk.named(SEND);
    expect(sdk.named(SEND)).toHaveLength(1);
    expect(send?.attributes['messaging.batch.message_count']).toBe(3);
    kit.worker(
      (job) => {
        if (job.data === 2 && job.attemptsMade === 1) throw new Error('once');
      },
      { telemetry },
    );
    const runs = await ended(4);
    expect(new Set([send, ...runs].map(traceId)).size).toBe(5);
    for (const run of runs) {
      expect(run.parentSpanContext).toBeUndefined();
      expect(run.links.map(({ context: linked }) => linked.spanId)).toEqual([spanId(send)]);
    }
  });

  it('an addBulk of one job is as an add', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    kit.worker(() => undefined, { telemetry });
    const request = await inRequest(() => queue.addBulk([{ name: 'welcome', data: 1 }]));
    const [run] = await ended(1);
    const [send] = sdk.named(SEND);
    expect([send, run].map(traceId)).toEqual([traceId(request), traceId(request)]);
    expect(run?.parentSpanContext?.spanId).toBe(spanId(send));
    expect(run?.links).toEqual([]);
  });

  it('an add that is refused is an error of its span', async () => {
    const queue = kit.queue({ telemetry: new ChasquiTelemetry(), maxStreamLen: 1 });
    await queue.add('a', {});
    await expect(queue.add('b', {})).rejects.toMatchObject({ code: 'CMQ-006' });
    const [, refused] = sdk.named(SEND);
    expect(refused?.status.code).toBe(SpanStatusCode.ERROR);
    expect(refused?.attributes['error.type']).toBe('CMQ-006');
    const job = await queue.addUnique('c', {}, { jobId: 'one', delay: 60_000 });
    expect(job.duplicate).toBe(false);
    await queue.addUnique('c', {}, { jobId: 'one', delay: 60_000 });
    expect(sdk.named(SEND).at(-1)?.attributes['chasqui.job.duplicates']).toBe(1);
  });

  it('jobs of a tracked queue, and jobs with time limits, carry the trace too', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry, trackJobs: true });
    kit.worker(() => 'done', { telemetry });
    const request = await inRequest(() => queue.add('welcome', {}, { timeoutMs: 5_000, ttlMs: 60_000 }));
    const [run] = await ended(1);
    expect(traceId(run)).toBe(traceId(request));
    await vi.waitFor(async () => {
      expect(await queue.getCompletedCount()).toBe(1);
    });
  });

  it('baggage travels on request only', async () => {
    const seen: (string | undefined)[] = [];
    const handler = (): void => {
      seen.push(propagation.getBaggage(context.active())?.getEntry('tenant')?.value);
    };
    for (const baggage of [false, true]) {
      const telemetry = new ChasquiTelemetry({ baggage });
      const queue = kit.queue({ telemetry }, `mail-${String(baggage)}`);
      kit.worker(handler, { telemetry }, `mail-${String(baggage)}`);
      const bag = propagation.createBaggage({ tenant: { value: 'acme' } });
      await context.with(propagation.setBaggage(context.active(), bag), () => queue.add('welcome', {}));
    }
    await vi.waitFor(() => {
      expect(seen.sort()).toEqual(['acme', undefined]);
    });
  });
});

describe('link', () => {
  it('each attempt is a trace of its own, with a link to the add', async () => {
    const telemetry = new ChasquiTelemetry({ traces: 'link' });
    const queue = kit.queue({ telemetry });
    kit.worker(
      (job) => {
        if (job.attemptsMade < 2) throw new Error('once');
      },
      { telemetry },
    );
    await inRequest(() => queue.add('welcome', {}));
    const runs = await ended(2);
    const [send] = sdk.named(SEND);
    expect(new Set([...runs, send].map(traceId)).size).toBe(3);
    for (const run of runs) expect(run.links[0]?.context.spanId).toBe(spanId(send));
  });
});

describe('none', () => {
  it('makes no span, and the job carries nothing', async () => {
    const telemetry = new ChasquiTelemetry({ traces: 'none' });
    const queue = kit.queue({ telemetry });
    await inRequest(() => queue.add('welcome', {}));
    const [[, fields] = []] = await kit.client.xrangeBuffer(KEYS.stream, '-', '+');
    expect(fields?.some((field) => field.includes('trace'))).toBe(false);
    expect(sdk.spans().map(({ name }) => name)).toEqual(['GET /']);
  });
});
