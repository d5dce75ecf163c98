import { Module } from '@nestjs/common';
import { ShopQueuesModule } from '../shop-queues.module.js';
import { Bank } from './bank.service.js';
import { OrderProcessor } from './order.processor.js';
import { PaymentProcessor } from './payment.processor.js';
import { Warehouse } from './warehouse.service.js';

@Module({
  imports: [ShopQueuesModule.forRoot({ workers: true })],
  providers: [OrderProcessor, PaymentProcessor, Warehouse, Bank],
})
export class WorkerModule {}
