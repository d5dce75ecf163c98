import { setTimeout as delay } from 'node:timers/promises';
import type { Order } from './orders.js';

const ORDERS: readonly Order[] = [
  { customer: 'ada', item: 'bread', count: 1 },
  // The bank does not answer at first.
  { customer: 'bob', item: 'wine', count: 2 },
  // The warehouse is busy, and the bank does not answer.
  { customer: 'eve', item: 'olives', count: 5 },
  { customer: 'ida', item: 'bread', count: 3 },
  // The card is declined.
  { customer: 'max', item: 'wine', count: 20 },
];

/** Places orders over HTTP, four per second, until the signal is aborted. Returns how many. */
export async function placeOrders(api: string, signal: AbortSignal): Promise<number> {
  let placed = 0;
  while (!signal.aborted) {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(ORDERS[placed % ORDERS.length]);
    const response = await fetch(api, { method: 'POST', headers, body });
    if (response.status !== 202) throw new Error(`POST ${api}: ${response.status} ${await response.text()}`);
    placed += 1;
    await delay(250, undefined, { signal }).catch(() => undefined);
  }
  return placed;
}
