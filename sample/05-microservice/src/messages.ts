/** The messages between the two applications: their patterns and their data. */
export const PRICE = { cmd: 'price' };
export const ORDER_PLACED = 'order.placed';

export interface PriceRequest {
  item: string;
}

export interface Price {
  item: string;
  cents: number;
}

export interface Order {
  item: string;
  count: number;
}

export const connection = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
export const queue = process.env['ORDERS_QUEUE'] ?? 'orders';
