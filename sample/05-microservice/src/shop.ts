import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { ShopModule } from './shop.module.js';

// The shop: answers over HTTP, and sends the work to the service.
//   curl localhost:3000/price/bread
//   curl localhost:3000/orders -H 'content-type: application/json' -d '{ "item": "bread", "count": 2 }'
const app = await NestFactory.create(ShopModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
console.log(`the shop is open at ${await app.getUrl()}`);
