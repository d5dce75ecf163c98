import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Queue, UnrecoverableError, exportPrometheusMetrics } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';
import { METRICS } from '../../lib/opentelemetry/conventions.js';
import { Prometheus } from '../support/prometheus.js';
import { NAME, useKit } from '../redis/contract/kit.js';

const kit = useKit();
const PATIENCE = { timeout: 15_000, interval: 100 };
const HOSTILE = 'a "b" \\c é';

/** What the endpoint answers. */
let answer: () => Promise<string> = () => Promise.resolve('');
let endpoint: Server;
let prometheus: Prometheus;

beforeAll(async () => {
  endpoint = createServer((_, response) => {
    void answer().then((text) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(text);
    });
  }).listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  const { port } = endpoint.address() as AddressInfo;
  prometheus = await Prometheus.start(
    JSON.stringify({
      global: { scrape_interval: '200ms', scrape_timeout: '200ms' },
      scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [`127.0.0.1:${String(port)}`] }] }],
    }),
  );
});

afterAll(async () => {
  await prometheus.stop();
  endpoint.close();
});

/** The samples of a text, by what stands before the value. */
function samplesOf(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

it('a scrape has what the queues hold, with the labels of BullMQ and with those of ChasquiTelemetry', async () => {
  const queue = kit.queue();
  const other = kit.queue({}, HOSTILE);
  await queue.addBulk([1, 2, 3].map((n) => ({ name: n === 1 ? 'bad' : 'good', data: n })));
  await queue.add('later', 1, { delay: 60_000 });
  await other.add('urgent', 1, { priority: 1 });
  await other.pause();
  const worker = kit.worker(
    (job) => {
      if (job.name === 'bad') throw new UnrecoverableError('no');
    },
    { metrics: { maxDataPoints: 60 } },
  );
  await vi.waitFor(async () => {
    expect(await queue.getFailedCount()).toBe(1);
    expect(await queue.getActiveCount()).toBe(0);
    expect((await queue.getMetrics('completed')).meta.count).toBe(2);
    expect((await queue.getMetrics('failed')).meta.count).toBe(1);
  }, 10_000);

  answer = () => exportPrometheusMetrics([queue, other], { env: `${HOSTILE}{\n}` });
  const labels = { queue: NAME, state: 'failed', env: `${HOSTILE}{\n}` };
  await expect
    .poll(() => prometheus.query(`bullmq_job_count{queue="${NAME}", state="failed"}`), PATIENCE)
    .toEqual([{ labels: expect.objectContaining(labels) as object, value: 1 }]);
  const counts = await prometheus.query(`bullmq_job_count{queue="${NAME}"}`);
  expect(Object.fromEntries(counts.map((sample) => [sample.labels['state'], sample.value]))).toEqual(
    await queue.getJobCounts(),
  );
  const our = `messaging_destination_name="${NAME}"`;
  const theirs = `messaging_destination_name=~"a .*"`;
  for (const [expression, value] of [
    [`bullmq_job_completed_total{queue="${NAME}"}`, 2],
    [`bullmq_job_failed_total{queue="${NAME}"}`, 1],
    [`bullmq_job_count{queue!="${NAME}", state="prioritized"}`, 1],
    [`chasqui_queue_jobs{${our}, chasqui_job_state="delayed"}`, 1],
    [`chasqui_queue_jobs{${theirs}, chasqui_job_state="prioritized"}`, 1],
    [`chasqui_queue_workers{${our}}`, 1],
    [`chasqui_queue_paused{${our}}`, 0],
    [`chasqui_queue_paused{${theirs}}`, 1],
    [`chasqui_queue_oldest_waiting_age{${theirs}} > 0 < 60`, expect.any(Number)],
    [`chasqui_queue_promotion_lag{${our}}`, 0],
    [`chasqui_schedule_lag{${our}}`, 0],
    ['up', 1],
  ] as const) {
    expect([expression, await prometheus.value(expression)]).toEqual([expression, value]);
  }
  await worker.close();
});

describe('the text', () => {
  it('of one queue is the same as of a list of it, and of no queue is empty', async () => {
    const queue = kit.queue();
    await queue.add('a', 1);
    const ages = /^chasqui_queue_oldest_waiting_age\{.*$/gm;
    const one = await queue.exportPrometheusMetrics({ env: 'test' });
    const list = await exportPrometheusMetrics([queue], { env: 'test' });
    expect(one.replace(ages, '')).toBe(list.replace(ages, ''));
    expect(await exportPrometheusMetrics([])).toBe('');
    expect(one).toContain(
      '# HELP bullmq_job_count Number of jobs in the queue by state\n# TYPE bullmq_job_count gauge\n',
    );
    // Workers have counted nothing.
    expect(one).not.toContain('_total');
  });

  it('has one header of each metric, and describes it as ChasquiTelemetry does', async () => {
    const text = await exportPrometheusMetrics([kit.queue({}, 'a'), kit.queue({}, 'b')]);
    const headers = text.split('\n').filter((line) => line.startsWith('# HELP'));
    const names = headers.map((line) => line.split(' ')[2] ?? '');
    expect(new Set(names).size).toBe(names.length);
    const ours = headers.filter((line) => line.includes('chasqui_'));
    expect(ours).toHaveLength(7);
    const described = Object.values(METRICS).map(
      ({ name, description }) => `# HELP ${name.replaceAll('.', '_')} ${description}`,
    );
    for (const line of ours) expect(described).toContain(line);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('has NaN for a queue whose Redis is down, and the numbers of the others', async () => {
    await using redis = await RedisServer.start();
    const connection = { host: '127.0.0.1', port: redis.port };
    await using gone = new Queue('gone', { connection });
    gone.on('error', () => undefined);
    const queue = kit.queue();
    await Promise.all([queue.add('a', 1), gone.add('a', 1)]);
    for (const stop of [() => redis.kill(), () => redis.restart()]) {
      await stop();
      const isDown = stop.toString().includes('kill');
      await vi.waitFor(async () => {
        const samples = samplesOf(await exportPrometheusMetrics([queue, gone]));
        expect(samples[`bullmq_job_count{queue="${NAME}",state="waiting"}`]).toBe(1);
        expect(Number.isNaN(samples['bullmq_job_count{queue="gone",state="waiting"}'])).toBe(isDown);
        const reachable = 'chasqui_queue_reachable{messaging_destination_name="gone"}';
        expect(samples[reachable]).toBe(Number(!isDown));
      }, 15_000);
    }
  });
});

describe('refuses', () => {
  it.each([
    [[], 'globalVariables must be an object, not an array'],
    ['env', 'globalVariables must be an object, not "env"'],
    [null, 'globalVariables must be an object, not null'],
    [{ 'a-b': 'x' }, '"a-b" is no name of a label'],
    [{ '': 'x' }, '"" is no name of a label'],
    [{ 'a\n': 'x' }, String.raw`"a\n" is no name of a label`],
    [{ __name__: 'x' }, '"__name__" is no name of a label'],
    [{ queue: 'x' }, 'the label "queue" is set by the export'],
    [{ messaging_destination_name: 'x' }, 'the label "messaging_destination_name" is set by the export'],
    [{ env: 1 }, 'the label "env" must be a string, not 1'],
    [{ env: '\ud800' }, 'the label "env" must not contain half of a surrogate pair'],
  ])('%j as labels', async (labels, message) => {
    const expected = { code: 'CMQ-004', message: expect.stringContaining(message) as string };
    await expect(kit.queue().exportPrometheusMetrics(labels as never)).rejects.toMatchObject(expected);
    await expect(exportPrometheusMetrics([], labels as never)).rejects.toMatchObject(expected);
  });

  it.each([
    [undefined, 'the queues must be an array, not undefined'],
    ['mail', 'the queues must be an array, not "mail"'],
    [[{}], 'an object is no Queue'],
    [[undefined], 'undefined is no Queue'],
  ])('%j as queues', async (queues, message) => {
    await expect(exportPrometheusMetrics(queues as never)).rejects.toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining(message) as string,
    });
  });

  it('two queues of one name, and a queue that is closed', async () => {
    const queue = kit.queue();
    await expect(exportPrometheusMetrics([queue, kit.queue()])).rejects.toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining(`two queues are called "${NAME}"`) as string,
    });
    await queue.close();
    await expect(queue.exportPrometheusMetrics()).rejects.toMatchObject({ code: 'CMQ-005' });
    expect(await exportPrometheusMetrics([queue])).toContain('NaN');
  });
});

it('takes queues of any type', async () => {
  const typed = new Queue<{ to: string }, number, 'send'>('typed', { connection: kit.connection });
  expect(await exportPrometheusMetrics([typed, kit.queue()])).toContain('queue="typed"');
  await typed.close();
});
