import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Order } from '../orders.js';

/** Stands for a real warehouse. For large orders, it is busy at first. */
@Injectable()
export class Warehouse {
  async reserve({ item, count }: Order, attempt: number, signal: AbortSignal): Promise<void> {
    await delay(20 + count, undefined, { signal });
    if (count >= 5 && attempt === 1) throw new Error(`the warehouse is busy, and packs no ${item}`);
  }
}
