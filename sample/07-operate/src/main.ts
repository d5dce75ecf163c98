import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Story } from './story.service.js';

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
try {
  // Any free port. Your application has a fixed one.
  await app.listen(0, '127.0.0.1');
  await app.get(Story).tell(await app.getUrl());
} finally {
  await app.close();
}
