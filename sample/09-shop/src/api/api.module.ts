import { Module } from '@nestjs/common';
import { ChasquiScalerModule } from 'nestjs-chasqui/scaler';
import { ShopQueuesModule } from '../shop-queues.module.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [
    ShopQueuesModule.forRoot({ workers: false }),
    // How many workers there should be. It is here because the API always runs.
    ChasquiScalerModule.forRoot(),
  ],
  controllers: [OrdersController],
})
export class ApiModule {}
