import {
  InjectQueue,
  JobAttempt,
  JobData,
  JobId,
  JobSignal,
  OnJob,
  Processor,
  Repeat,
  type Queue,
} from 'nestjs-chasqui';
import { PRICES, type Order, type Payment } from '../orders.js';
import { Warehouse } from './warehouse.service.js';

@Processor('orders', { concurrency: 10 })
export class OrderProcessor {
  constructor(
    private readonly warehouse: Warehouse,
    @InjectQueue('orders') private readonly orders: Queue,
    @InjectQueue('payments') private readonly payments: Queue<Payment>,
  ) {}

  @OnJob('place', { timeoutMs: 5_000 })
  async place(
    @JobId() orderId: string,
    @JobData() order: Order,
    @JobAttempt() attempt: number,
    @JobSignal() signal: AbortSignal,
  ): Promise<{ cents: number }> {
    await this.warehouse.reserve(order, attempt, signal);
    const { customer, item, count } = order;
    const cents = PRICES[item] * count;
    // If this job runs twice, the second payment has the id of the first one, so there is only one.
    await this.payments.add(
      'charge',
      { orderId, customer, cents },
      { jobId: `charge-${orderId}`, attempts: 4, backoff: { type: 'exponential', delay: 300 } },
    );
    return { cents };
  }

  @OnJob('report')
  @Repeat('0 3 * * *', { tz: 'Europe/Madrid' })
  async report(): Promise<void> {
    const placed = await this.orders.getCompletedCount();
    const [paid, declined] = [await this.payments.getCompletedCount(), await this.payments.getFailedCount()];
    console.log(`nightly report: ${placed} jobs of orders done, ${paid} paid, ${declined} declined`);
  }
}
