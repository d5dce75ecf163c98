import { consuming } from '../src/consuming.mjs';

/** Worker processes on one queue. They share the cores with the server. */
export default [1, 2, 4].map((processes) => ({
  name: `growth-processes/${processes}`,
  title: processes === 1 ? 'one worker process' : `${processes} worker processes`,
  group: 'growth',
  rounds: 3,
  variants: ['peer', 'ours', 'oursQuiet'],
  processes,
  sizes: { full: { jobs: 100_000, oursTimes: 4 }, quick: { jobs: 30_000, oursTimes: 4 } },
  metrics: [
    { key: 'rate', against: 'growth-processes/1', ...(processes === 2 && { target: 1.6 }) },
    { key: 'redisShare' },
  ],
  fromServer: ({ cpuUs, seconds }) => ({ redisShare: cpuUs / 1e4 / seconds }),
  ...consuming({ concurrency: 100 }),
}));
