import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { ChasquiServer } from 'nestjs-chasqui/microservices';
import { connection, queue } from './messages.js';
import { OrdersModule } from './orders.module.js';

// The service: runs what is in the queue until it is told to stop (SIGTERM, Ctrl-C).
const app = await NestFactory.createMicroservice<MicroserviceOptions>(OrdersModule, {
  strategy: new ChasquiServer({ queue, connection, concurrency: 10 }),
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks();
await app.listen();
console.log('the service listens');
