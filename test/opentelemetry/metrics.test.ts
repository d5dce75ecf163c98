import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { describe, expect, it, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { METRICS } from '../../lib/opentelemetry/conventions.js';
import type { Metric } from '../../lib/opentelemetry/conventions.js';
import { NAME, useKit } from '../redis/contract/kit.js';
import { useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk();

/** Of the six states of a queue that cannot be read. */
const UNKNOWN = [NaN, NaN, NaN, NaN, NaN, NaN];

/** The counters, and the label that a test looks at. */
const COUNTERS: Readonly<Record<string, string>> = {
  'messaging.client.sent.messages': 'messaging.destination.name',
  'chasqui.jobs.duplicates': 'messaging.destination.name',
  'messaging.client.consumed.messages': 'messaging.destination.name',
  'chasqui.jobs.ended': 'chasqui.job.outcome',
  'chasqui.jobs.promoted': 'messaging.destination.name',
  'chasqui.schedules.fired': 'messaging.destination.name',
  'chasqui.dead_letters.evicted': 'messaging.destination.name',
  'chasqui.worker.leases.lost': 'messaging.destination.name',
  'chasqui.connection.reconnects': 'none',
};

const valuesOf = async (metric: string): Promise<unknown[]> =>
  (await sdk.points(metric)).map(({ value }) => value);

const Q = { 'messaging.destination.name': NAME };

describe('metrics', () => {
  it('equal what was done', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry, maxStreamLen: 5 });
    await queue.addBulk([
      { name: 'good', data: 1 },
      { name: 'good', data: 2 },
      { name: 'flaky', data: 3 },
      { name: 'bad', data: 4 },
    ]);
    await expect(queue.addBulk([1, 2].map((data) => ({ name: 'good', data })))).rejects.toMatchObject({
      code: 'CMQ-006',
    });
    await queue.add('later', {}, { delay: 60_000, jobId: 'once' });
    await queue.add('later', {}, { delay: 60_000, jobId: 'once' });
    await queue.add('soon', {}, { delay: 1 });
    await queue.add('tick', {}, { repeat: { every: 60_000 } });
    expect(await sdk.value('chasqui.queue.jobs', { ...Q, 'chasqui.job.state': 'waiting' })).toBe(4);
    expect(await sdk.value('chasqui.queue.oldest_waiting.age', Q)).toBeGreaterThan(0);
    expect(await sdk.value('chasqui.queue.workers', Q)).toBe(0);

    const worker = kit.worker(
      (job) => {
        if (job.name === 'bad') throw new UnrecoverableError('never');
        if (job.name === 'flaky' && job.attemptsMade === 1) throw new RangeError('once');
      },
      { telemetry, concurrency: 7 },
    );
    const ended = (name: string, outcome: string): Promise<number | undefined> =>
      sdk.value('chasqui.jobs.ended', { ...Q, 'chasqui.job.name': name, 'chasqui.job.outcome': outcome });
    await vi.waitFor(async () => {
      expect(await ended('flaky', 'completed')).toBe(1);
      expect(await ended('soon', 'completed')).toBe(1);
      expect(await ended('good', 'completed')).toBe(2);
      expect(await ended('bad', 'dead-lettered')).toBe(1);
    }, 8_000);
    expect(await ended('flaky', 'retried')).toBe(1);
    const sent = { ...Q, 'messaging.operation.name': 'send', 'messaging.system.name': 'chasqui' };
    expect(await sdk.value('messaging.client.sent.messages', { ...sent, 'chasqui.job.name': 'good' })).toBe(
      4,
    );
    expect(await sdk.value('messaging.client.sent.messages', { ...sent, 'error.type': 'CMQ-006' })).toBe(2);
    const process = { ...Q, 'messaging.operation.name': 'process' };
    expect(await sdk.value('messaging.client.consumed.messages', process)).toBe(6);
    expect(await sdk.value('messaging.process.duration', process)).toBe(6);
    expect(await sdk.value('messaging.process.duration', { ...process, 'error.type': 'RangeError' })).toBe(1);
    expect(await sdk.value('chasqui.job.wait.duration', Q)).toBe(6);
    expect(
      await sdk.value('messaging.client.operation.duration', { ...Q, 'messaging.operation.type': 'send' }),
    ).toBe(5);
    expect(await sdk.value('messaging.client.sent.messages', { ...sent, 'chasqui.job.name': 'later' })).toBe(
      2,
    );
    expect(await sdk.value('chasqui.jobs.duplicates', Q)).toBe(1);
    expect(
      await sdk.value('messaging.client.operation.duration', { ...Q, 'messaging.operation.type': 'settle' }),
    ).toBeGreaterThan(0);
    expect(await sdk.value('chasqui.jobs.promoted', Q)).toBe(2);
    expect(
      await sdk.value('chasqui.jobs.ended', { ...Q, 'chasqui.dead_letter.reason': 'unrecoverable' }),
    ).toBe(1);
    const states: Record<string, number | undefined> = {};
    for (const state of ['waiting', 'active', 'delayed', 'prioritized', 'failed', 'completed']) {
      states[state] = await sdk.value('chasqui.queue.jobs', { ...Q, 'chasqui.job.state': state });
    }
    expect(states).toEqual({ waiting: 0, active: 0, delayed: 1, prioritized: 0, failed: 1, completed: 0 });
    expect(await sdk.value('chasqui.queue.workers', Q)).toBe(1);
    expect(await sdk.value('chasqui.worker.concurrency', Q)).toBe(7);
    expect(await sdk.value('chasqui.worker.jobs.running', Q)).toBe(0);
    expect(await sdk.value('chasqui.queue.paused', Q)).toBe(0);
    expect(await sdk.value('chasqui.schedule.lag', Q)).toBe(0);
    await queue.pause();
    expect(await sdk.value('chasqui.queue.paused', Q)).toBe(1);
    await worker.close();
    await queue.close();
    expect(await valuesOf('chasqui.queue.jobs')).toEqual(UNKNOWN);
    expect(await valuesOf('chasqui.worker.concurrency')).toEqual([NaN]);
    expect(await valuesOf('chasqui.queue.reachable')).toEqual([NaN]);
  });

  it('have the names, units and labels of the table, and no others', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    kit.worker(
      () => {
        throw new Error('no');
      },
      { telemetry, maxAttempts: 2 },
    );
    await queue.add('welcome', {});
    await vi.waitFor(async () => {
      expect(await queue.getFailedCount()).toBe(1);
    });
    await sdk.collect();
    const collected = await sdk.collect();
    const table = new Map<string, Metric>(
      Object.values(METRICS).map((metric: Metric) => [metric.name, metric]),
    );
    expect(collected.length).toBeGreaterThan(14);
    const { ATTRIBUTES } = await import('../../lib/opentelemetry/conventions.js');
    for (const { descriptor, dataPoints } of collected) {
      const metric = table.get(descriptor.name);
      expect(metric, descriptor.name).toBeDefined();
      expect(descriptor.unit).toBe(metric?.unit);
      const labels = metric?.labels.map((label) => ATTRIBUTES[label]) ?? [];
      for (const { attributes } of dataPoints)
        for (const label of Object.keys(attributes)) expect(labels, descriptor.name).toContain(label);
    }
  });

  it('a counter is there with 0 before it counts, for each label that is known', async () => {
    const telemetry = new ChasquiTelemetry();
    const producing = kit.queue({ telemetry }, 'added');
    kit.worker(() => undefined, { telemetry });
    const queue = kit.queue();
    const counters = async (): Promise<Record<string, unknown[]>> => {
      const collected = (await sdk.collect()).filter(({ descriptor }) => descriptor.name in COUNTERS);
      return Object.fromEntries(
        collected.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ value, attributes }) => [value, attributes[COUNTERS[descriptor.name] ?? '']]),
        ]),
      );
    };
    const atStart = {
      'chasqui.jobs.duplicates': [[0, 'added']],
      'chasqui.jobs.promoted': [[0, NAME]],
      'chasqui.schedules.fired': [[0, NAME]],
      'chasqui.dead_letters.evicted': [[0, NAME]],
      'chasqui.worker.leases.lost': [[0, NAME]],
      'chasqui.connection.reconnects': [[0, undefined]],
    };
    expect(await counters()).toEqual(atStart);

    await queue.add('welcome', {});
    await producing.add('welcome', {});
    await vi.waitFor(async () => {
      expect(await sdk.value('chasqui.jobs.ended', { 'chasqui.job.outcome': 'completed' })).toBe(1);
    });
    expect(await counters()).toEqual({
      ...atStart,
      'messaging.client.sent.messages': [[1, 'added']],
      'messaging.client.consumed.messages': [[1, NAME]],
      'chasqui.jobs.ended': [
        [1, 'completed'],
        ...['retried', 'cancelled', 'dropped', 'released', 'abandoned'].map((outcome) => [0, outcome]),
        ...Array.from({ length: 6 }, () => [0, 'dead-lettered']),
      ],
    });
    const reasons = (await sdk.points('chasqui.jobs.ended')).map(
      ({ attributes }) => attributes['chasqui.dead_letter.reason'],
    );
    expect(new Set(reasons).size).toBe(7);
  });

  it('labels stay few and harmless, whatever names jobs and errors have', async () => {
    const telemetry = new ChasquiTelemetry({ maxJobNames: 3 });
    const queue = kit.queue({ telemetry });
    const names = ['a"b\\c', 'line\nbreak\u202e', 'x'.repeat(200), 'late-1', 'late-2', ''];
    await queue.addBulk(names.slice(0, 5).map((name) => ({ name, data: {} })));
    const errors = ['ok\nname', 'E'.repeat(100), 42];
    const reports: Error[] = [];
    const worker = kit.worker(
      () => {
        const name = errors.pop() ?? 'Error';
        throw Object.assign(new Error('x'), { name });
      },
      { telemetry, maxAttempts: 1 },
    );
    worker.on('error', (error) => reports.push(error));
    await vi.waitFor(async () => {
      expect(await queue.getFailedCount()).toBe(5);
    });
    const points = await sdk.points('messaging.client.sent.messages');
    const labels = points.map(({ attributes }) => attributes['chasqui.job.name']);
    expect(labels).toEqual(['a"b\\c', 'line\\nbreak\\u202e', 'x'.repeat(64), '_other']);
    const types = (await sdk.points('messaging.process.duration')).map(
      ({ attributes }) => attributes['error.type'],
    );
    expect(new Set(types)).toEqual(new Set(['ok\\nname', 'E'.repeat(64), 'object', 'Error']));
    const ids = (await queue.getFailed()).map(({ id }) => id);
    const all = JSON.stringify((await sdk.collect()).map(({ dataPoints }) => dataPoints));
    for (const id of ids) expect(all).not.toContain(id);
  });

  it('a scrape of Prometheus shows the same', async () => {
    const exporter = new PrometheusExporter({ port: 0, host: '127.0.0.1', preventServerStart: true });
    const provider = new MeterProvider({ readers: [exporter] });
    const telemetry = new ChasquiTelemetry({ meterProvider: provider });
    const queue = kit.queue({ telemetry });
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'welcome', data })));
    const text = await new Promise<string>((resolve) => {
      const response = { statusCode: 0, setHeader: () => undefined, end: resolve };
      exporter.getMetricsRequestHandler({} as never, response as never);
    });
    const series = `messaging_destination_name="${NAME}"`;
    expect(text).toMatch(
      new RegExp(`^chasqui_queue_jobs\\{${series},chasqui_job_state="waiting".*\\} 3$`, 'm'),
    );
    expect(text).toMatch(/^messaging_client_sent_messages_total\{.*chasqui_job_name="welcome".*\} 3$/m);
    expect(text).toContain('# TYPE messaging_client_operation_duration histogram');
    await provider.shutdown();
  });
});

describe('while Redis does not answer', () => {
  it('gauges are unknown, and a collection ends by its deadline; then they are back', async () => {
    const telemetry = new ChasquiTelemetry({ gaugeTimeoutMs: 200 });
    const queue = kit.queue({ telemetry });
    queue.on('error', () => undefined);
    await queue.add('welcome', {});
    expect(await sdk.value('chasqui.queue.jobs', { ...Q, 'chasqui.job.state': 'waiting' })).toBe(1);
    kit.server.pause();
    const begun = performance.now();
    expect(await valuesOf('chasqui.queue.jobs')).toEqual(UNKNOWN);
    expect(await valuesOf('chasqui.queue.jobs')).toEqual(UNKNOWN);
    expect(await valuesOf('chasqui.queue.reachable')).toEqual([0]);
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await sdk.value('messaging.client.sent.messages', Q)).toBe(1);
    kit.server.resume();
    await vi.waitFor(async () => {
      expect(await sdk.value('chasqui.queue.jobs', { ...Q, 'chasqui.job.state': 'waiting' })).toBe(1);
    }, 8_000);
    expect(await valuesOf('chasqui.queue.reachable')).toEqual([1]);
  });

  it('a queue that was not used so far connects, so that it is known whether it can', async () => {
    const telemetry = new ChasquiTelemetry();
    kit.queue({ telemetry });
    expect(await valuesOf('chasqui.queue.reachable')).toEqual([1]);
    expect(await sdk.value('chasqui.queue.jobs', { ...Q, 'chasqui.job.state': 'waiting' })).toBe(0);
  });

  it('a queue that was not used so far and cannot connect says so', async () => {
    const telemetry = new ChasquiTelemetry({ gaugeTimeoutMs: 200 });
    // Nobody listens there.
    const queue = kit.queue({ telemetry, connection: { host: '127.0.0.1', port: 1 } });
    queue.on('error', () => undefined);
    expect(await valuesOf('chasqui.queue.reachable')).toEqual([0]);
    expect(await valuesOf('chasqui.queue.jobs')).toEqual(UNKNOWN);
  });

  it('an outage that has ended counts once, however many users the connection has', async () => {
    const telemetry = new ChasquiTelemetry();
    const connection = { ...kit.connection };
    const queues = ['a', 'b'].map((name) => kit.queue({ telemetry, connection }, name));
    for (const queue of queues) {
      queue.on('error', () => undefined);
      await queue.add('welcome', {});
    }
    const back = new Promise((resolve) => queues[0]?.once('reconnected', resolve));
    await kit.server.kill();
    await new Promise((resolve) => queues[0]?.once('error', resolve));
    expect(await valuesOf('chasqui.queue.jobs')).toEqual([...UNKNOWN, ...UNKNOWN]);
    await kit.server.restart();
    await back;
    expect(await sdk.value('chasqui.connection.reconnects', {})).toBe(1);
  });
});
