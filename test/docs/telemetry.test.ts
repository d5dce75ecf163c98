import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { describe, expect, it, vi } from 'vitest';
import { ATTRIBUTES, CONVENTIONS_VERSION, METRICS } from '../../lib/opentelemetry/conventions.js';
import type { Metric } from '../../lib/opentelemetry/conventions.js';
import type { Queue, Worker } from '../../lib/engine/index.js';
import { ChasquiModule, OnJob, Processor } from '../../lib/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { queueOf } from '../nest/support/apps.js';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/telemetry.md', redis);

const tracing = block<{ TelemetryShutdown: Type }>('Set-up', 1);
const inNest = block<{ AppModule: Type }>('Set-up', 2);
const withoutNest = block<{ queue: Queue; worker: Worker }>('Set-up', 3);

const page = readFileSync(new URL('../../docs/telemetry.md', import.meta.url), 'utf8');

/** The cells of the rows below this heading of a table. */
function tableOf(heading: string): string[][] {
  const from = page.indexOf(`| ${heading}`);
  expect(from, heading).toBeGreaterThan(0);
  const [, , ...rows] = page.slice(from, page.indexOf('\n\n', from)).trim().split('\n');
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/telemetry.md', () => {
  it('the set-up gives a job a trace', async () => {
    await tracing();
    const { AppModule } = await inNest();
    const app = await NestFactory.createApplicationContext(AppModule, { logger: SILENT });
    await queueOf(app, 'welcome').add('mail', {});
    const [[, fields] = []] = await redis.client.xrangeBuffer('{chasqui:welcome}:stream', '-', '+');
    expect(fields?.some((field) => field.includes('trace'))).toBe(true);
    await app.close();
    const { queue, worker } = await withoutNest();
    await new Promise((resolve) => worker.once('completed', resolve));
    await Promise.all([queue.close(), worker.close()]);
    for (const api of [trace, metrics, context, propagation]) api.disable();
  });

  it('the set-up exports the spans of the jobs that the app releases when it closes', async () => {
    const exported: Buffer[] = [];
    const collector = createServer((request, response) => {
      request.on('data', (part: Buffer) => exported.push(part)).on('end', () => response.end());
    });
    await once(collector.listen(0, '127.0.0.1'), 'listening');
    const { port } = collector.address() as AddressInfo;
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${String(port)}`);
    const { TelemetryShutdown } = await tracing();

    let onStart: () => void;
    const started = new Promise<void>((resolve) => (onStart = resolve));
    @Processor('mails', { shutdownDeadlineSecs: 0.1 })
    class Mails {
      @OnJob()
      send(): Promise<void> {
        onStart();
        return new Promise(() => undefined);
      }
    }
    @Module({
      imports: [
        ChasquiModule.forRoot({ connection: redis.connection, telemetry: new ChasquiTelemetry() }),
        ChasquiModule.forFeature('mails'),
      ],
      providers: [Mails, TelemetryShutdown],
    })
    class MailModule {}
    const app = await NestFactory.createApplicationContext(MailModule, { logger: SILENT });
    await queueOf(app, 'mails').add('mail', {});
    await started;
    await app.close();
    collector.close();
    expect(Buffer.concat(exported).toString('latin1')).toMatch(/process mails[^]*released/);
    for (const api of [trace, metrics, context, propagation]) api.disable();
  });

  it('lists each metric with its type, unit, labels and meaning', () => {
    const registered = (Object.values(METRICS) as Metric[]).map(
      ({ name, kind, unit, labels, description }) => [
        `\`${name}\``,
        kind,
        `\`${unit}\``,
        labels.map((label) => `\`${ATTRIBUTES[label]}\``).join(', ') || '–',
        description.replace(/\.$/, ''),
      ],
    );
    expect(tableOf('metric ')).toEqual(registered);
  });

  it('lists each attribute', () => {
    const listed = tableOf('attribute ').map(([name]) => name);
    const { state: _, ...ofSpans } = ATTRIBUTES;
    expect(listed.sort()).toEqual(
      Object.values(ofSpans)
        .map((name) => `\`${name}\``)
        .sort(),
    );
  });

  it('pins the conventions that this package is tested with', () => {
    const { version } = JSON.parse(
      readFileSync(
        new URL('../../node_modules/@opentelemetry/semantic-conventions/package.json', import.meta.url),
        'utf8',
      ),
    ) as { version: string };
    expect(version).toBe(CONVENTIONS_VERSION);
    expect(page).toContain(`version ${CONVENTIONS_VERSION}`);
    const known = new Set<unknown>(Object.values(conventions));
    const names = [...Object.values(ATTRIBUTES), ...Object.values(METRICS).map(({ name }) => name)];
    const ours = names.filter((name) => !known.has(name));
    expect(ours.filter((name) => !name.startsWith('chasqui.'))).toEqual([]);
  });
});
