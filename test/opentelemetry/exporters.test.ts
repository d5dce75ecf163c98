import { BatchSpanProcessor, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import { expect, it, vi } from 'vitest';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { take, useKit } from '../redis/contract/kit.js';
import { useSdk } from './support/sdk.js';

/** Blocks the process for so long at each export. */
let blockMs = 0;
const asked = { hanging: 0, throwing: 0, blocking: 0 };

const exporter = (exportSpans: SpanExporter['export']): SpanExporter => ({
  export: exportSpans,
  shutdown: () => Promise.resolve(),
});
const memory = new InMemorySpanExporter();
const hanging = exporter(() => {
  asked.hanging += 1;
});
const throwing = exporter(() => {
  asked.throwing += 1;
  throw new Error('the exporter is broken');
});
const blocking = exporter((spans: ReadableSpan[], done) => {
  asked.blocking += 1;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
  memory.export(spans, done);
});

const QUICK = { scheduledDelayMillis: 1, exportTimeoutMillis: 300, maxExportBatchSize: 8 };
const kit = useKit();
useSdk({
  processors: [
    new BatchSpanProcessor(hanging, QUICK),
    new BatchSpanProcessor(throwing, QUICK),
    new SimpleSpanProcessor(blocking),
  ],
});

it('with exporters that hang, throw and block, every job completes once', async () => {
  const telemetry = new ChasquiTelemetry();
  const queue = kit.queue({ telemetry });
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  blockMs = 5;
  const handled: unknown[] = [];
  try {
    await queue.addBulk(Array.from({ length: 50 }, (_, data) => ({ name: 'welcome', data })));
    await queue.add('welcome', 50);
    const worker = kit.worker(({ data }) => handled.push(data), { telemetry, concurrency: 10 });
    await take(worker, 'completed', 51);
    await worker.close();
  } finally {
    blockMs = 0;
    warned.mockRestore();
  }
  expect(handled.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 51 }, (_, n) => n));
  // Each of them was asked while the jobs ran.
  expect(Object.values(asked).every((count) => count > 0)).toBe(true);
  expect(asked.blocking).toBeGreaterThanOrEqual(53);
  kit.errors.length = 0;
});
