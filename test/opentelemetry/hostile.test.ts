import { INVALID_SPAN_CONTEXT, context, propagation, trace } from '@opentelemetry/api';
import type { Attributes, Link, TracerProvider } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { expect, it, vi } from 'vitest';
import { queueKeys } from '../../lib/redis/keys.js';
import { encodePayload } from '../../lib/engine/index.js';
import type { Telemetry } from '../../lib/engine/index.js';
import { readExtras } from '../../lib/engine/codec/extras.js';
import { appendField, encodeTrace, traceWithin } from '../../lib/engine/codec/trace.js';
import { encodeEnvelope } from '../../lib/engine/codec/write-envelope.js';
import { locateJob } from '../../lib/engine/codec/read-envelope.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { NAME, useKit } from '../redis/contract/kit.js';
import { useSdk } from './support/sdk.js';

const kit = useKit();

let isBroken = false;
const broken: SpanProcessor = {
  onStart: () => {
    if (isBroken) throw new Error('the processor is broken');
  },
  onEnd: () => {
    if (isBroken) throw new Error('the exporter is broken');
  },
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};
const sdk = useSdk({ processors: [broken] });

const HEADER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it('headers that are no trace are ignored, and the job runs in a trace of its own', async () => {
  const bad: unknown[] = [
    { p: 'nonsense' },
    { p: HEADER.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)) },
    { p: HEADER.replace('-01', '-zz') },
    { p: HEADER.toUpperCase() },
    { p: `${HEADER}-more`.replace('00-', 'ff-') },
    { p: '\u0000'.repeat(55) },
    { p: 'é'.repeat(55) },
    { p: '', s: '\n', b: '%%%', l: 'x' },
    { p: 7 },
    { p: null, s: {} },
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`h${String(i)}`, 'x'])),
    { constructor: 'x', toString: 'y', __proto__: 'z' },
    { p: 'x'.repeat(100_000) },
    'text',
    null,
    [HEADER],
    {},
  ];
  for (const [index, value] of bad.entries()) {
    const extras = Buffer.from(encodePayload({ trace: value }));
    const d = encodeEnvelope({
      id: `bad-${String(index)}`,
      payload: Buffer.from(encodePayload({})),
      createdAtMs: Date.now(),
      attempt: 0,
      extras,
    });
    await kit.client.xadd(queueKeys(NAME).stream, '*', 'd', d, 'n', 'welcome');
  }
  const ran: string[] = [];
  kit.worker((job) => void ran.push(job.id), { telemetry: new ChasquiTelemetry({ baggage: true }) });
  await vi.waitFor(() => {
    expect(ran).toHaveLength(bad.length);
  });
  await vi.waitFor(() => {
    expect(sdk.named(`process ${NAME}`)).toHaveLength(bad.length);
  });
  for (const span of sdk.named(`process ${NAME}`)) {
    expect(span.parentSpanContext).toBeUndefined();
    expect(span.links).toEqual([]);
  }
});

it('a processor that throws costs spans, and no job; its error is reported once', async () => {
  const telemetry = new ChasquiTelemetry();
  const queue = kit.queue({ telemetry });
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  isBroken = true;
  try {
    await queue.addBulk(Array.from({ length: 20 }, (_, data) => ({ name: 'welcome', data })));
    await queue.add('welcome', {});
    const worker = kit.worker(() => undefined, { telemetry });
    const completed = new Promise<void>((resolve) => {
      let count = 0;
      worker.on('completed', () => {
        if (++count === 21) resolve();
      });
    });
    await completed;
  } finally {
    isBroken = false;
    warned.mockRestore();
  }
  const mine = kit.errors.splice(0);
  expect(mine.map(({ message }) => message)).toEqual(['the processor is broken']);
  await vi.waitFor(async () => {
    expect(await sdk.value('chasqui.jobs.ended', { 'chasqui.job.outcome': 'completed' })).toBe(21);
  });
});

it('a telemetry that throws everywhere, or runs no handler, changes nothing', async () => {
  const fail = (): never => {
    throw new Error('telemetry');
  };
  const hostile: Telemetry[] = [
    { producer: fail, worker: fail },
    {
      producer: () => ({ send: fail, sent: fail, reconnected: fail, closed: fail }),
      worker: () => ({ scope: fail, started: fail, ended: fail, gone: fail, settled: fail, closed: fail }),
    },
    {
      producer: () => ({ send: () => ({ carrier: { p: 7 } as never, ended: fail }) }),
      worker: () => ({ scope: () => ({ run: () => undefined as never }) }),
    },
    {
      producer: () => ({
        send: () => ({
          get carrier() {
            return fail();
          },
        }),
      }),
      worker: () => ({ scope: () => ({ run: fail }) }),
    },
    {
      // Twice, and once more later.
      worker: () => ({
        scope: () => ({
          run: (call, input) => {
            queueMicrotask(() => call(input));
            const first = call(input);
            call(input);
            return first;
          },
        }),
      }),
    },
  ];
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  for (const [index, telemetry] of hostile.entries()) {
    const name = `hostile-${String(index)}`;
    const queue = kit.queue({ telemetry }, name);
    let calls = 0;
    const worker = kit.worker(
      (job) => {
        calls += 1;
        if (job.attemptsMade === 1) throw new Error('once');
        return 'result';
      },
      { telemetry },
      name,
    );
    const done = new Promise<unknown>((resolve) => {
      worker.on('completed', (_job, result) => {
        resolve(result);
      });
    });
    await queue.add('welcome', {});
    expect(await done).toBe('result');
    await worker.close();
    await queue.close();
    expect(calls).toBe(2);
  }
  const warnings = warned.mock.calls.map(([warning]) => String(warning));
  expect(warnings).toContain(
    'Error: nestjs-chasqui: the telemetry of queue "hostile-0" has failed; jobs are added without it: telemetry',
  );
  warned.mockRestore();
  expect(new Set(kit.errors.splice(0).map(({ message }) => message))).toEqual(new Set(['telemetry']));
});

it('what a handler throws that cannot be read does not break its span', async () => {
  const telemetry = new ChasquiTelemetry();
  const queue = kit.queue({ telemetry });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const thrown: unknown[] = [proxy, null, undefined, 'text', 7n, { message: { a: 1 } }, Symbol('s')];
  kit.worker(
    (job) => {
      throw thrown[job.data as number];
    },
    { telemetry, maxAttempts: 1 },
  );
  for (const index of thrown.keys()) await queue.add('welcome', index);
  // A span ends when the worker hears that its job is a dead letter, which is later than it is one.
  await vi.waitFor(() => {
    expect(sdk.named(`process ${NAME}`)).toHaveLength(thrown.length);
  });
  expect(await queue.getFailedCount()).toBe(thrown.length);
  const spans = sdk.named(`process ${NAME}`);
  for (const span of spans) {
    expect(span.status.code).toBe(2);
    expect(typeof span.attributes['error.type']).toBe('string');
  }
});

it('a trace is no reason to refuse a job that fits', async () => {
  const telemetry = new ChasquiTelemetry({ baggage: true });
  const queue = kit.queue({ telemetry, maxPayloadBytes: 1_000 });
  const worker = kit.worker((job) => job.data, { telemetry, maxPayloadBytes: 1_000 });
  const completed = new Promise<unknown>((resolve) =>
    worker.on('completed', (job) => {
      resolve(job.id);
    }),
  );
  const bag = propagation.createBaggage(
    Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, { value: 'v'.repeat(100) }])),
  );
  const job = await context.with(propagation.setBaggage(context.active(), bag), () =>
    queue.add('welcome', 'x'.repeat(997)),
  );
  expect(await completed).toBe(job.id);
  const [send] = sdk.named(`send ${NAME}`);
  await vi.waitFor(() => {
    expect(sdk.named(`process ${NAME}`)[0]?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
  });
});

it('options: a telemetry of BullMQ, and wrong options, are refused with what to do', () => {
  const bull = { tracer: {}, contextManager: {} } as unknown as Telemetry;
  expect(() => kit.queue({ telemetry: bull })).toThrow(/CMQ-004|ChasquiTelemetry/);
  expect(() => kit.queue({ telemetry: 7 as never })).toThrow(/must be a Telemetry/);
  expect(() => kit.worker(() => 1, { telemetry: {} })).toThrow(/producer\(\) or worker\(\)/);
  expect(() => new ChasquiTelemetry({ trace: 'link' } as never)).toThrow(/Did you mean "traces"/);
  expect(() => new ChasquiTelemetry({ traces: 'linked' as never })).toThrow(/'continue' or 'link' or 'none'/);
});

it('a tracer that keeps what it gets and changes it does not change what other spans get', () => {
  const kept: { attributes: Attributes; links: Link[] }[] = [];
  const keeping: TracerProvider = {
    getTracer: () => ({
      startSpan: (_name, { attributes = {}, links = [] } = {}) => {
        kept.push({ attributes: { ...attributes }, links: [...links] });
        attributes['error.type'] = 'TypeError';
        links.length = 0;
        return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
      },
      startActiveSpan: () => undefined as never,
    }),
  };
  const telemetry = new ChasquiTelemetry({ tracerProvider: keeping, metrics: false });
  const queue = { queue: NAME, address: 'a', gauges: () => undefined };
  const worker = telemetry.worker({
    ...queue,
    group: 'g',
    consumer: 'c',
    load: () => ({ running: 0, concurrency: 1 }),
  });
  const producer = telemetry.producer(queue);
  const job = { id: '1', name: 'welcome', attemptsMade: 1 };
  const carrier = { p: HEADER, l: '1' };
  for (let run = 0; run < 2; run++) worker.scope?.(job, carrier);
  for (let add = 0; add < 2; add++) producer.send?.([job]);
  const [first, second, sent, sentNext] = kept;
  expect(first?.links).toHaveLength(1);
  expect(second).toEqual(first);
  expect(sent?.attributes).toMatchObject({ 'chasqui.job.name': 'welcome' });
  expect(sentNext).toEqual(sent);
});

it('the field of a trace: what is written is what is read', () => {
  const carriers = [
    { p: HEADER },
    { p: HEADER, s: 'a=1,b=2' },
    { 'x-b3-traceid': 'é', l: '1' },
    { p: '' },
    { p: HEADER.slice(1) },
  ];
  for (const carrier of carriers) {
    const field = encodeTrace(carrier) as Buffer;
    expect(readExtras(appendField(undefined, field) as Buffer)).toEqual({ trace: carrier });
    const tracked = Buffer.from(encodePayload({ keep: 'tracked', timeoutMs: 5 }));
    expect(readExtras(appendField(tracked, field) as Buffer)).toMatchObject({ timeoutMs: 5, trace: carrier });
  }
  expect(encodeTrace({})).toBeUndefined();
  const full = Buffer.from(
    encodePayload(Object.fromEntries(Array.from({ length: 15 }, (_, i) => [String(i), i]))),
  );
  expect(appendField(full, encodeTrace({ p: HEADER }) as Buffer)).toBeUndefined();
  const large = { p: HEADER, b: 'x'.repeat(5_000) };
  expect(traceWithin(large, Infinity)?.length).toBeGreaterThan(5_000);
  expect(traceWithin(large, 100)?.length).toBeLessThan(100);
  expect(traceWithin({ b: 'x'.repeat(5_000) }, 100)).toBeUndefined();
});

it('the order of a job and its extras is as before', async () => {
  const queue = kit.queue({ telemetry: new ChasquiTelemetry() });
  await trace.getTracer('t').startActiveSpan('root', (span) =>
    queue.add('welcome', 1).finally(() => {
      span.end();
    }),
  );
  const [entry] = await kit.client.xrangeBuffer(queueKeys(NAME).stream, '-', '+');
  const fields = entry?.[1] ?? [];
  const bytes = fields[fields.findIndex((field) => field.toString() === 'd') + 1] as Buffer;
  const { jobTo } = locateJob(bytes);
  expect(bytes.length - jobTo).toBe(67);
});
