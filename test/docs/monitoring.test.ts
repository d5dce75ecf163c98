import { readFileSync } from 'node:fs';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { metrics } from '@opentelemetry/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ChasquiModule } from '../../lib/index.js';
import { queueOf } from '../nest/support/apps.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { blocksOf, textOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/monitoring.md', redis);

const api = block<{ ApiModule: Type }>('Scale the workers');

let app: INestApplication | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

const prometheus = block<{ AppModule: Type }>('Prometheus');

it('the application of the page serves its metrics', async () => {
  const module = await Test.createTestingModule({ imports: [(await prometheus()).AppModule] })
    .setLogger(SILENT)
    .compile();
  app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  await queueOf(app, 'mail').add('send', {});
  const text = await (await fetch(`${await app.getUrl()}/metrics`)).text();
  expect(text).toContain(
    'chasqui_queue_jobs{messaging_destination_name="mail",chasqui_job_state="waiting"} 1\n',
  );
  metrics.disable();
});

const without = block<{ QueueMetricsController: Type }>('Without OpenTelemetry');

it('the controller without OpenTelemetry serves the metrics that the page lists', async () => {
  const { QueueMetricsController } = await without();
  const module = await Test.createTestingModule({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection, workers: false }),
      ChasquiModule.forFeature('mail', 'images'),
    ],
    controllers: [QueueMetricsController],
  })
    .setLogger(SILENT)
    .compile();
  app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  await queueOf(app, 'mail').add('send', {});
  const response = await fetch(`${await app.getUrl()}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const [queue, waiting] of Object.entries({ mail: 1, images: 0 })) {
    expect(text).toContain(`bullmq_job_count{queue="${queue}",state="waiting"} ${String(waiting)}\n`);
  }
  const [, section = ''] = /### Without OpenTelemetry\n(.*?)\n## /s.exec(textOf('docs/monitoring.md')) ?? [];
  const names = [...section.matchAll(/^\| (`.*?`) +\|/gm)].map(([, cell = '']) => cell).join();
  const listed = [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  // Workers have counted nothing.
  const exported = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
  expect(new Set([...exported, 'bullmq_job_completed_total', 'bullmq_job_failed_total'])).toEqual(
    new Set(listed),
  );
});

it('the page has every alert of the sample', () => {
  const rules = readFileSync(
    new URL('../../sample/08-observe/prometheus/alerts.yml', import.meta.url),
    'utf8',
  );
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const shown = [...textOf('docs/monitoring.md').matchAll(/^\| `(Chasqui\w+)`/gm)].map(([, name]) => name);
  expect(shown.sort()).toEqual(alerts.sort());
});

describe('the scaler', () => {
  it('answers as the page shows, to who has the token', async () => {
    vi.stubEnv('SCALER_TOKEN', 'of this test');
    const module = await Test.createTestingModule({ imports: [(await api()).ApiModule] })
      .setLogger(SILENT)
      .compile();
    app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    const get = async (token: string): Promise<Response> =>
      fetch(`${await app!.getUrl()}/chasqui/scale/mail`, { headers: { authorization: `Bearer ${token}` } });
    expect((await get('another')).status).toBe(403);
    const response = await get('of this test');
    expect(response.status).toBe(200);
    const shown = JSON.parse(blocksOf('docs/monitoring.md', 'json')[0]?.code ?? '') as object;
    const answer = (await response.json()) as object;
    expect(Object.keys(answer)).toEqual(Object.keys(shown));
    const text = textOf('docs/monitoring.md');
    for (const field of Object.keys(answer)) {
      if (field !== 'queue') expect(text).toMatch(new RegExp(`^\\| \`${field}\``, 'm'));
    }
  });
});
