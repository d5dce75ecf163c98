import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { OrderService } from './order.service.js';

// node main.js worker     runs jobs until it is told to stop (SIGTERM, Ctrl-C)
// node main.js producer   adds jobs, prints what came of them, and ends
const role = process.argv[2] === 'worker' ? 'worker' : 'producer';
const app = await NestFactory.createApplicationContext(AppModule.as(role), {
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks();

if (role === 'worker') {
  console.log(`worker ${process.pid} runs`);
} else {
  const orders = ['bread', 'wine', 'olives'].map((item, index) => ({ item, count: index + 1 }));
  for (const { text, pid } of await app.get(OrderService).place(orders)) {
    console.log(`${text}: placed by process ${pid}`);
  }
  await app.close();
}
