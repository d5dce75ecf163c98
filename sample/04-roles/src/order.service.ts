import { Injectable } from '@nestjs/common';
import { InjectQueue, type Queue } from 'nestjs-chasqui';
import type { Order, Receipt } from './order.processor.js';

@Injectable()
export class OrderService {
  constructor(@InjectQueue('orders') private readonly orders: Queue<Order, Receipt>) {}

  /** Places orders, and waits for the receipts from a worker in another process. */
  async place(orders: readonly Order[]): Promise<Receipt[]> {
    const jobs = await this.orders.addBulk(orders.map((data) => ({ name: 'place', data })));
    const receipts = await Promise.all(jobs.map((job) => job.waitForResult()));
    return receipts.filter((receipt) => receipt !== undefined);
  }
}
