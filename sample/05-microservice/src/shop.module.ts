import { Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { ChasquiClient } from 'nestjs-chasqui/microservices';
import { connection, queue } from './messages.js';
import { ShopController } from './shop.controller.js';

@Module({
  imports: [
    ClientsModule.register([
      { name: 'ORDERS', customClass: ChasquiClient, options: { queue, connection, timeoutMs: 5_000 } },
    ]),
  ],
  controllers: [ShopController],
})
export class ShopModule {}
