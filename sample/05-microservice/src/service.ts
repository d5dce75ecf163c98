import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { ChasquiServer } from 'nestjs-chasqui/microservices';
import { connection, queue } from './messages.js';
import { OrdersModule } from './orders.module.js';

// The service: runs the jobs of the queue until it is stopped (SIGTERM, Ctrl-C).
const app = await NestFactory.createMicroservice<MicroserviceOptions>(OrdersModule, {
  strategy: new ChasquiServer({ queue, connection, concurrency: 10 }),
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks();
await app.listen();
console.log('the service listens');
