import { Module, type DynamicModule } from '@nestjs/common';
import { ChasquiModule, type ChasquiQueueOptions } from 'nestjs-chasqui';
import { ChasquiTelemetry } from 'nestjs-chasqui/opentelemetry';

/** The board can show completed jobs only if they are kept. */
const QUEUES: readonly ChasquiQueueOptions[] = [
  { name: 'orders', trackJobs: { completed: { count: 1_000 } } },
  { name: 'payments', trackJobs: { completed: { count: 1_000 } } },
];

/** The connection and the queues of the shop, the same in all three processes. */
@Module({})
export class ShopQueuesModule {
  /** @param workers whether this process runs the jobs, or only adds and shows them */
  static forRoot({ workers }: { workers: boolean }): DynamicModule {
    return {
      module: ShopQueuesModule,
      imports: [
        ChasquiModule.forRoot({
          connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
          workers,
          // A job carries the trace of the request that added it.
          telemetry: new ChasquiTelemetry(),
        }),
        ChasquiModule.forFeature(...QUEUES),
      ],
      exports: [ChasquiModule],
    };
  }
}
