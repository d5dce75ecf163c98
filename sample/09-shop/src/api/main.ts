import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { stopWithParent } from '../stop-with-parent.js';
import { ApiModule } from './api.module.js';

const app = await NestFactory.create(ApiModule, { logger: ['warn', 'error', 'fatal'] });
app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
app.enableShutdownHooks();
stopWithParent(app);
await app.listen(Number(process.env['API_PORT'] ?? 3000), '127.0.0.1');
console.log(`takes orders at ${await app.getUrl()}`);
