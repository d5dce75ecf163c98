import { Child } from './child.js';

// node service.js   the service
// node shop.js      the shop, which answers over HTTP
// node main.js      both, each in its own process, and a customer
const env = {
  // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run.
  ORDERS_QUEUE: `orders-${Date.now().toString(36)}-${process.pid}`,
  PORT: '0',
  ...process.env,
};
const children: Child[] = [];
const start = (name: string): Child => {
  const child = new Child(name, env);
  children.push(child);
  return child;
};

try {
  const [, url = ''] = await start('shop').line(/^the shop is open at (.*)$/);
  // The service does not run yet, so the order waits in Redis.
  await visit(`${url}/orders`, { item: 'bread', count: 2 });
  await start('service').line(/^packed 2 × bread$/);
  await visit(`${url}/price/bread`);
  await visit(`${url}/price/gold`);
} finally {
  await Promise.all(children.map((child) => child.stop()));
  console.log('both were stopped, and have ended');
}

async function visit(url: string, body?: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, body && { method: 'POST', headers, body: JSON.stringify(body) });
  console.log(
    `${body ? 'POST' : 'GET'} ${new URL(url).pathname}: ${response.status} ${await response.text()}`,
  );
}
