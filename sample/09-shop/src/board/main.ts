import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { stopWithParent } from '../stop-with-parent.js';
import { BoardModule } from './board.module.js';

const app = await NestFactory.create(BoardModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
stopWithParent(app);
await app.listen(Number(process.env['BOARD_PORT'] ?? 3001), '127.0.0.1');
console.log(`is at ${await app.getUrl()}/board`);
