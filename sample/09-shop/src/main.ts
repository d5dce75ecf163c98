import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './child.js';
import { placeOrders } from './customers.js';
import { printProgress, untilDone } from './progress.js';
import { Traces, toLines } from './tracing/traces.js';

// Runs the shop for a minute: an API, a worker and a board, each in its own process, and customers.
// SHOP_SECONDS=600 npm start 09-shop runs it for ten minutes.
const seconds = Number(process.env['SHOP_SECONDS'] ?? 60);
const password = process.env['BOARD_PASSWORD'] ?? randomBytes(6).toString('hex');
const env = { API_PORT: '0', BOARD_PORT: '0', ...process.env, BOARD_PASSWORD: password };

const closing = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!closing.signal.aborted) console.log('\nThe shop closes early.');
    closing.abort();
  });
}

const traces = new Traces();
const children: Child[] = [];
const start = (name: string): Child => {
  const child = new Child(name, env, (spans) => traces.add(spans));
  children.push(child);
  return child;
};

try {
  const [api, board, worker] = [start('api'), start('board'), start('worker')];
  const [[, orders = ''], [, boardUrl = '']] = await Promise.all([
    api.line(/takes orders at (.*)$/),
    board.line(/is at (.*)$/),
    worker.line(/runs jobs/),
  ]);

  console.log(`\nThe shop is open for ${seconds} s. Press Ctrl-C to close it. Meanwhile, look at:`);
  console.log(`  ${boardUrl}   the board: user shop, password ${password}`);
  console.log(`  ${orders}/orders/progress   how many jobs are in which state`);
  console.log(`  ${orders}/chasqui/scale/payments   what an autoscaler reads`);
  console.log(`  ${traceTarget()}\n`);

  const time = delay(seconds * 1_000, undefined, { signal: closing.signal }).catch(() => undefined);
  void time.then(() => closing.abort());
  const [placed] = await Promise.all([
    placeOrders(`${orders}/orders`, closing.signal),
    printProgress(`${orders}/orders/progress`, closing.signal),
  ]);

  console.log(`\nThe shop has closed. ${placed} orders were placed.`);
  await untilDone(`${orders}/orders/progress`);
  // It would run at three in the morning.
  const reported = worker.line(/nightly report/);
  await fetch(`${orders}/orders/report`, { method: 'POST' });
  await reported;

  console.log('\nOne order, from the request to its payment, over all processes:');
  for (const line of toLines(traces.best() ?? [])) console.log(`  ${line}`);
} finally {
  // The worker last: it finishes the jobs that it runs.
  for (const child of children) await child.stop();
  console.log('\nThe API, the board and the worker have ended.');
}

function traceTarget(): string {
  const collector = process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return collector
    ? `${collector}   gets the traces`
    : 'one trace is printed at the end; set OTEL_EXPORTER_OTLP_ENDPOINT to send all of them to a collector';
}
