import { JobData, OnJob, Processor } from 'nestjs-chasqui';

export interface Order {
  item: string;
  count: number;
}

export interface Receipt {
  text: string;
  pid: number;
}

@Processor('orders', { concurrency: 10 })
export class OrderProcessor {
  @OnJob('place')
  place(@JobData() { item, count }: Order): Receipt {
    return { text: `${String(count)} × ${item}`, pid: process.pid };
  }
}
