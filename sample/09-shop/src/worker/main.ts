import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { stopWithParent } from '../stop-with-parent.js';
import { WorkerModule } from './worker.module.js';

// Failed jobs are on the board, so the log has only what concerns the worker itself.
const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['fatal'] });
// On SIGTERM, running jobs finish first. Jobs that have not started return to the queue.
app.enableShutdownHooks();
stopWithParent(app);
console.log('runs jobs');
