import { benchQueueName, measure } from '../bench/measure.js';
import type { BenchHooks, BenchResult, Latency, Step } from '../bench/measure.js';
import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { confirm } from '../frame/prompt.js';
import { progressBar } from '../output/progress.js';
import type { Progress } from '../output/progress.js';
import { printPairs, printTable } from '../output/table.js';
import { grouped } from '../output/values.js';
import { serverName } from '../watch/server-name.js';

export interface BenchOptions {
  readonly jobs: number;
  readonly concurrency: number;
  readonly payload: number;
}

const MOST_JOBS = 10_000_000;
const MOST_BYTES = 1_000_000;
/** Of that many queues it is found out whether they are in use. */
const LOOK_AT = 200;

export async function bench(context: Context, _args: readonly [], options: BenchOptions): Promise<void> {
  const { jobs, concurrency, payload } = options;
  if (jobs > MOST_JOBS) throw usageError(`--jobs must be at most ${grouped(MOST_JOBS)}.`);
  if (payload > MOST_BYTES) throw usageError(`--payload must be at most ${grouped(MOST_BYTES)} bytes.`);
  const servers = await context.servers();
  await servers.link.ready();
  await askIfInUse(context);
  const version = await serverName(servers);
  const name = benchQueueName();
  const { out, signal, globals } = context;
  const connection = await context.connection();
  const result = await measure(
    name,
    { connection, commandTimeoutMs: Math.max(globals.timeout, 30_000) },
    { jobs, concurrency, payload },
    { signal, ...progressBars(context) },
  );
  out.end();
  out.document({
    server: version ?? null,
    address: servers.link.address,
    jobs,
    concurrency,
    payloadBytes: payload,
    ...result,
  });
  printPairs(out, [
    ['server', [version, servers.link.address].filter((part) => part !== undefined).join(' at ')],
    [
      'jobs',
      `${grouped(jobs)} of ${grouped(payload)} bytes, concurrency ${grouped(concurrency)}, one process`,
    ],
  ]);
  out.text('');
  printResult(context, result);
}

function printResult({ out }: Context, result: BenchResult): void {
  printTable(
    out,
    [
      { title: 'THROUGHPUT', value: ([name]) => name },
      { title: 'JOBS/s', value: ([, value]) => grouped(value), right: true },
    ],
    [
      ['add in bulk', result.addedPerSecond],
      ['run, with a handler that does nothing', result.ranPerSecond],
    ] as const,
  );
  out.text('');
  const ms = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1));
  printTable<readonly [string, Latency]>(
    out,
    [
      { title: 'LATENCY, ms', value: ([name]) => name },
      { title: 'p50', value: ([, one]) => ms(one.p50), right: true },
      { title: 'p95', value: ([, one]) => ms(one.p95), right: true, keep: 3 },
      { title: 'p99', value: ([, one]) => ms(one.p99), right: true },
      { title: 'max', value: ([, one]) => ms(one.max), right: true, keep: 2 },
    ],
    [
      ['round trip', result.roundTripMs],
      ['add one job', result.addMs],
      ['from add() to the start of its handler', result.pickupMs],
    ],
  );
}

/** The bench takes as much of Redis as it can get. Queues that are in use become slower. */
async function askIfInUse(context: Context): Promise<void> {
  const names = (await context.queueNames()).slice(0, LOOK_AT);
  const backlogs = await Promise.all(
    names.map(async (name) => {
      const queue = await context.queue(name, { create: true });
      // A queue that cannot be read may be in use, too.
      return queue.getBacklog().catch(() => ({ waiting: 1, active: 0, delayed: 0 }));
    }),
  );
  const jobs = backlogs.reduce((sum, one) => sum + one.waiting + one.active + one.delayed, 0);
  const used = backlogs.filter((one) => one.waiting + one.active + one.delayed > 0).length;
  if (used === 0) return;
  const queues = used === 1 ? '1 queue' : `${grouped(used)} queues`;
  await confirm(context.out, context.globals.yes, context.signal, {
    question: `This Redis is in use: ${queues} with ${grouped(jobs)} jobs. The bench slows them for some seconds. Go on?`,
  });
}

const WORDS: Readonly<Record<Step, string>> = {
  'round trips': 'Round trips  ',
  'single adds': 'Single adds  ',
  'adds in bulk': 'Adds in bulk ',
  runs: 'Runs         ',
  starts: 'Starts       ',
};

/** A bar per step. */
function progressBars({ out }: Context): Pick<BenchHooks, 'onStep' | 'onProgress'> {
  let bar: Progress | undefined;
  return {
    onStep: async (step, total) => {
      bar?.stop();
      bar = await progressBar(out, WORDS[step], total);
    },
    onProgress: (done) => {
      bar?.update({ done });
    },
  };
}
