import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { getQueueToken, type Queue } from 'nestjs-chasqui';
import { AppModule } from './app.module.js';
import { ReportProcessor } from './report.processor.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
try {
  const reports = app.get<Queue>(getQueueToken('reports'), { strict: false });
  console.log('Two schedules stand beside their handlers and were declared when the application started:');
  for (const { key, pattern, every, nextFireMs } of await reports.getRepeatableJobs()) {
    const schedule = pattern ?? `every ${String(every)} ms`;
    console.log(`  ${key}: ${schedule}, next at ${new Date(nextFireMs).toISOString()}`);
  }
  console.log('The first three polls:');
  await app.get(ReportProcessor).polls(3);
  // This run's queue is its own, and so its schedules end with it. An app leaves them where they are.
  for (const { key } of await reports.getRepeatableJobs()) await reports.removeRepeatableByKey(key);
} finally {
  await app.close();
}
