import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Story } from './story.service.js';

// The story prints what happens, so Nest's own log is off. An error at boot is one line.
const app = await NestFactory.createApplicationContext(AppModule, {
  logger: false,
  abortOnError: false,
}).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
app.enableShutdownHooks();

try {
  await app.get(Story).tell();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  // Running handlers finish first, then the connections close. Nothing stays open, so the process ends by itself.
  await app.close();
}
