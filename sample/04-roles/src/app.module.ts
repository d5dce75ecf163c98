import { Module, type DynamicModule } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { OrderService } from './order.service.js';
import { OrderProcessor } from './order.processor.js';

export type Role = 'producer' | 'worker';

/** One application, two roles: the same code is deployed as an API that adds jobs and as workers that run them. */
@Module({})
export class AppModule {
  static as(role: Role): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ChasquiModule.forRoot({
          connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
          workers: role === 'worker',
          workerOptions: { storeResults: true },
        }),
        ChasquiModule.forFeature({ name: 'orders', queueName: process.env['ORDERS_QUEUE'] ?? 'orders' }),
      ],
      providers: [OrderProcessor, OrderService],
    };
  }
}
