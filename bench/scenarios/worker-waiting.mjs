import { setTimeout as sleep } from 'node:timers/promises';
import { consuming } from '../src/consuming.mjs';

/** How long a handler waits that asks a database, and one that calls another service. */
const WAITS_MS = [5, 20];
const CONCURRENCY = 50;

export default WAITS_MS.map((ms) => ({
  name: `worker-waiting/${ms}`,
  title: `worker, concurrency ${CONCURRENCY}, handlers that wait ${ms} ms`,
  sizes: { full: { jobs: 100_000 / ms, oursTimes: 2 }, quick: { jobs: 25_000 / ms, oursTimes: 2 } },
  metrics: [
    { key: 'rate' },
    // Of the rate that the handlers' waiting allows.
    { key: 'allowedShare' },
    { key: 'clientCpuUs' },
  ],
  ...withShare(ms, consuming({ concurrency: CONCURRENCY, handler: () => () => sleep(ms) })),
}));

function withShare(ms, scenario) {
  const most = (CONCURRENCY * 1000) / ms;
  return {
    ...scenario,
    fromServer: ({ jobs, seconds }) => ({ allowedShare: (100 * jobs) / seconds / most }),
  };
}
