import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { getQueueToken, type Queue } from 'nestjs-chasqui';
import { AppModule } from './app.module.js';
import { ReportProcessor } from './report.processor.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
try {
  const reports = app.get<Queue>(getQueueToken('reports'), { strict: false });
  console.log('The application declared two schedules when it started:');
  for (const { key, pattern, every, nextFireMs } of await reports.getRepeatableJobs()) {
    const schedule = pattern ?? `every ${String(every)} ms`;
    console.log(`  ${key}: ${schedule}, next at ${new Date(nextFireMs).toISOString()}`);
  }
  console.log('The first three polls:');
  await app.get(ReportProcessor).polls(3);
  // The queue belongs to this run, so its schedules are removed. Your app keeps them.
  for (const { key } of await reports.getRepeatableJobs()) await reports.removeRepeatableByKey(key);
} finally {
  await app.close();
}
