import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { OrderService } from './order.service.js';
import { playBoth } from './play-both.js';

// node main.js producer   adds jobs, prints their results, and ends
// node main.js worker     runs jobs until it is stopped (SIGTERM, Ctrl-C)
// node main.js            both, each in its own process, until the producer has ended
switch (process.argv[2]) {
  case 'worker':
    await start('worker');
    console.log(`worker ${process.pid} runs`);
    break;
  case 'producer':
    await produce();
    break;
  default:
    process.exitCode = await playBoth(process.argv[1] as string);
}

async function start(role: 'producer' | 'worker') {
  const app = await NestFactory.createApplicationContext(AppModule.as(role), {
    logger: ['warn', 'error', 'fatal'],
  });
  // On SIGTERM, running jobs finish first. Jobs that were fetched but not started return to the queue.
  app.enableShutdownHooks();
  return app;
}

async function produce(): Promise<void> {
  const app = await start('producer');
  console.log(`producer ${process.pid} runs, and works on no queue`);
  const orders = ['bread', 'wine', 'olives'].map((item, index) => ({ item, count: index + 1 }));
  try {
    for (const { text, pid } of await app.get(OrderService).place(orders)) {
      console.log(`${text}: placed by process ${pid}`);
    }
  } finally {
    await app.close();
  }
}
