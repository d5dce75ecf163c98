// Before everything that measures.
import './telemetry.js';
import 'reflect-metadata';
import { once } from 'node:events';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Load } from './load.service.js';
import { Story } from './story.service.js';

// node main.js         runs a few jobs, prints their metrics, and ends
// node main.js load    adds jobs until it is stopped (Ctrl-C), for Prometheus and Grafana
// node main.js serve   adds the jobs that requests ask for, until it is stopped
const mode = process.argv[2] ?? 'story';
const port = Number(process.env['PORT'] ?? (mode === 'story' ? 0 : 3008));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

// The load fails on purpose, and the metrics count it. In your application, log errors too.
const app = await NestFactory.create(AppModule, { logger: ['fatal'] });
try {
  await app.listen(port, '127.0.0.1');
  const url = await app.getUrl();
  if (mode === 'story') {
    await app.get(Story).tell(url);
  } else {
    console.log(`metrics: ${url}/metrics`);
    console.log(`scaler:  ${url}/chasqui/scale/mail and ${url}/chasqui/scale/images`);
    console.log('Press Ctrl-C to stop.');
    if (mode === 'load') await app.get(Load).untilAborted(stop.signal);
    else if (!stop.signal.aborted) await once(stop.signal, 'abort');
  }
} finally {
  // Running jobs finish first.
  await app.close();
}
