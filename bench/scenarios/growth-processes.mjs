import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { consuming } from '../src/consuming.mjs';

const CORES = availableParallelism();
/** As a handler takes that asks a database, or another service. */
const WAIT_MS = 5;

/** Worker processes on one queue. They share the cores with the server. */
const WORK = [
  {
    part: '',
    title: (processes) => (processes === 1 ? 'one worker process' : `${processes} worker processes`),
    sizes: { full: { jobs: 100_000, oursTimes: 9 }, quick: { jobs: 30_000, oursTimes: 9 } },
  },
  {
    part: 'waiting-',
    title: (processes) =>
      `${processes === 1 ? 'one worker process' : `${processes} worker processes`}, handlers wait ${WAIT_MS} ms`,
    sizes: { full: { jobs: 40_000, oursTimes: 2 }, quick: { jobs: 20_000, oursTimes: 2 } },
    handler: () => () => sleep(WAIT_MS),
  },
];

export default WORK.flatMap(({ part, title, sizes, handler }) =>
  [1, 2, 4].map((processes) => ({
    name: `growth-processes/${part}${processes}`,
    title: title(processes),
    group: 'growth',
    variants: ['peer', 'ours', 'oursQuiet'],
    processes,
    sizes,
    metrics: [
      { key: 'rate', against: `growth-processes/${part}1`, ...(processes === 2 && { target: 1.6 }) },
      { key: 'redisShare' },
      { key: 'machineShare' },
    ],
    fromServer: ({ cpuUs, clientCpuUs, seconds }) => ({
      redisShare: cpuUs / 1e4 / seconds,
      machineShare: (cpuUs + clientCpuUs) / 1e4 / seconds / CORES,
    }),
    ...consuming({ concurrency: 100, handler }),
  })),
);
