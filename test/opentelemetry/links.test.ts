import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it, vi } from 'vitest';
import type { Job } from '../../lib/engine/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { NAME, eventually, take, useKit } from '../redis/contract/kit.js';
import { inRequest, useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk();

const PROCESS = `process ${NAME}`;
const SETTLE = `settle ${NAME}`;

const linked = (span: ReadableSpan | undefined): string[] =>
  (span?.links ?? []).map(({ context }) => context.spanId);
const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;

describe('schedules', () => {
  const TICK = { name: 'tick', data: 1 };

  it('each run begins a trace, with a link to where the schedule was stored', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry, trackJobs: true });
    kit.worker(() => undefined, { telemetry });
    const stored = await inRequest(() => queue.upsertJobScheduler('tick', { every: 20, limit: 3 }, TICK));
    await vi.waitFor(() => {
      expect(sdk.named(PROCESS)).toHaveLength(3);
    }, 8_000);
    const runs = sdk.named(PROCESS);
    expect(runs.map(linked)).toEqual([[idOf(stored)], [idOf(stored)], [idOf(stored)]]);
    expect(new Set([stored, ...runs].map((span) => span.spanContext().traceId)).size).toBe(4);
    expect(runs.every(({ parentSpanContext }) => parentSpanContext === undefined)).toBe(true);
  });

  it('where it is stored does not change a schedule', async () => {
    const queue = kit.queue({ telemetry: new ChasquiTelemetry() });
    const stored = async (): Promise<Record<string, string>> => {
      const key = (await kit.keys()).find((one) => one.includes('repeat:spec:')) ?? '';
      return kit.client.hgetall(key);
    };
    const store = (every: number) => () => queue.upsertJobScheduler('tick', { every }, TICK);
    await store(60_000)();
    const { extras: none, ...plain } = await stored();
    expect(none).toBeUndefined();
    await inRequest(store(60_000));
    expect(await stored()).toEqual(plain);
    await queue.removeJobScheduler('tick');
    await inRequest(store(60_000));
    const traced = await stored();
    expect(traced).toMatchObject({ extras: expect.stringContaining('trace') as string });
    expect(traced['revision']).toBe(plain['revision']);
    await inRequest(store(60_000));
    expect(await stored()).toEqual(traced);
    // Its jobs keep their link when it fires at other times, and it is the same as one that is stored so.
    await queue.rescheduleJobScheduler('tick', { every: 90_000 });
    const moved = await stored();
    expect(moved['extras']).toBe(traced['extras']);
    await store(90_000)();
    expect(await stored()).toEqual(moved);
  });

  it('a schedule that fills its limit of bytes is stored', async () => {
    const queue = kit.queue({ telemetry: new ChasquiTelemetry(), maxPayloadBytes: 1_000 });
    await inRequest(() =>
      queue.upsertJobScheduler('tick', { every: 20, limit: 1 }, { name: 'tick', data: 'x'.repeat(997) }),
    );
    const worker = kit.worker(() => undefined, { maxPayloadBytes: 1_000 });
    const [job] = await take(worker, 'completed', 1);
    expect(job?.data).toBe('x'.repeat(997));
  });
});

describe('batches', () => {
  it('one span for the handler, with links to the traces of all jobs; and what each of them failed with', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    await inRequest(() => queue.add('welcome', 1));
    await inRequest(() => queue.add('welcome', 2));
    await queue.add('welcome', 3);
    const sends = sdk.named(`send ${NAME}`);
    const worker = kit.worker(
      ((jobs: Job[]) =>
        jobs.map((job) => (job.data === 2 ? new TypeError('no address') : undefined))) as never,
      { telemetry, batches: { size: 3 }, maxAttempts: 1 },
    );
    await vi.waitFor(() => {
      expect(sdk.named(PROCESS)).toHaveLength(1);
    }, 8_000);
    const [run] = sdk.named(PROCESS);
    expect(run?.parentSpanContext).toBeUndefined();
    expect(linked(run)).toEqual(sends.map(idOf));
    expect(run?.attributes['messaging.batch.message_count']).toBe(3);
    expect(run?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no address' });
    expect(run?.events.map(({ name }) => name)).toEqual(['exception']);
    await worker.close();
    expect(await queue.peekDlq()).toHaveLength(1);
  });
});

describe('settle', () => {
  it('a call that stores outcomes and fails is a span, with links to the runs; the jobs complete', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    queue.on('error', () => undefined);
    await inRequest(() => queue.add('welcome', 1));
    let isFirst = true;
    kit.worker(
      () => {
        if (isFirst) kit.server.pause();
        isFirst = false;
      },
      { telemetry, connection: { ...kit.connection, commandTimeout: 200 } as never },
    );
    try {
      await vi.waitFor(() => {
        expect(sdk.named(SETTLE).length).toBeGreaterThan(0);
      }, 15_000);
    } finally {
      kit.server.resume();
    }
    const [settle] = sdk.named(SETTLE);
    // The span of the run ends when its outcome is stored.
    await eventually(() => {
      expect(sdk.named(PROCESS)).toHaveLength(1);
    });
    const [run] = sdk.named(PROCESS);
    expect(settle?.kind).toBe(SpanKind.CLIENT);
    expect(settle?.status.code).toBe(SpanStatusCode.ERROR);
    expect(linked(settle)).toEqual([idOf(run)]);
    expect(settle?.attributes).toMatchObject({
      'messaging.operation.name': 'settle',
      'messaging.operation.type': 'settle',
      'messaging.destination.name': NAME,
      'messaging.message.id': run?.attributes['messaging.message.id'],
      'error.type': 'CMQ-001',
    });
    await eventually(async () => {
      expect(await queue.getBacklog()).toMatchObject({ waiting: 0, active: 0 });
    });
    kit.errors.length = 0;
  });
});
