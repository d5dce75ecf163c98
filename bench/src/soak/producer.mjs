/* The process that adds: an open loop, which adds what is due whether or not the workers keep up. */
import { JobFailedError, Queue } from 'nestjs-chasqui/engine';
import { delayOf, KIND_NAMES, kindOf } from './kinds.mjs';
import { leave, on, problem, showMemory, tell } from './member.mjs';
import { connectionTo, DEDUP_TTL_MS, EVENTS_KEPT, QUEUE } from './settings.mjs';

const TICK_MS = 50;
const FLUSH_MS = 500;
const NEVER_MS = 600_000;
/** More than any job takes, its delay aside. */
const PATIENCE_MS = 60_000;

let queue;
let longestDelayMs;
let ticking;
let added = [];
const underWay = new Set();

const flush = () => {
  tell('added', { jobs: added });
  added = [];
};
const flushing = setInterval(flush, FLUSH_MS);

on('start', async ({ port, rate, ...times }) => {
  longestDelayMs = times.longestDelayMs;
  queue = new Queue(QUEUE, { connection: connectionTo(port), eventsMaxStreamLen: EVENTS_KEPT });
  await queue.waitUntilReady();
  const missedFires = { kind: 'fire-all', maxCatchup: 100 };
  await queue.add('repeated', { kind: 'repeated' }, { repeat: { every: 1_000, missedFires } });
  await queue.add('repeated', { kind: 'repeated' }, { repeat: { pattern: '*/2 * * * * *', missedFires } });
  const started = performance.now();
  let next = 0;
  ticking = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1_000) * rate);
    const tick = new Map();
    for (; next < due; next += 1) {
      const kind = kindOf(next);
      if (!tick.get(kind)?.push(next)) tick.set(kind, [next]);
    }
    for (const [kind, numbers] of tick) addAll(kind, numbers);
  }, TICK_MS);
  tell('started');
});

on('stop', async () => {
  clearInterval(ticking);
  let fired = 0;
  for (const spec of await queue.getRepeatableJobs()) {
    fired += spec.fired;
    await queue.removeRepeatableByKey(spec.key);
  }
  while (underWay.size > 0) await Promise.all(underWay);
  flush();
  tell('stopped', { fired });
});
on('close', async () => {
  await queue.close();
  clearInterval(flushing);
  flush();
  leave();
});
showMemory(flush);

const ADDING = {
  async bulk(numbers) {
    await queue.addBulk(numbers.map((n) => ({ name: 'bulk', data: dataOf(n, 'bulk') })));
    for (const n of numbers) book(n, 'bulk');
  },
  plain: each((n) => add(n, 'plain')),
  slow: each((n) => add(n, 'slow')),
  delayed: each((n) => add(n, 'delayed', { delay: delayOf(n, longestDelayMs) })),
  retried: each((n) => {
    const backoff = n % 2 === 0 ? { type: 'soon' } : { type: 'exponential', delay: 20, jitterMs: 10 };
    return add(n, 'retried', { attempts: 3, backoff });
  }),
  unique: each(async (n) => {
    const opts = { jobId: `unique-${n}`, dedupTtlMs: DEDUP_TTL_MS };
    const first = await add(n, 'unique', opts);
    if (first.duplicate) problem(`job ${n}: taken for a duplicate`);
    // If it ran all the same, its number would have run twice.
    const second = await queue.add('unique', dataOf(n, 'unique'), opts);
    if (!second.duplicate) problem(`job ${n}: its duplicate was not seen`);
  }),
  awaited: each(async (n) => {
    const job = await add(n, 'awaited');
    const result = await job.waitForResult({ timeoutMs: PATIENCE_MS });
    if (result?.n !== n) problem(`job ${n}: the result is ${JSON.stringify(result)}`);
  }),
  dying: each(async (n) => {
    const job = await add(n, 'dying', { attempts: 1 });
    if (n % 3 > 0) return;
    const error = await job.waitForResult({ timeoutMs: PATIENCE_MS }).catch((reason) => reason);
    if (!(error instanceof JobFailedError)) problem(`job ${n}: died, but its result is ${error}`);
  }),
  removed: each(async (n) => {
    const own = n % 2 === 0 ? { jobId: `removed-${n}`, dedupTtlMs: DEDUP_TTL_MS } : {};
    const job = await add(n, 'removed', { delay: NEVER_MS, ...own });
    if ((await queue.remove(job.id)) !== 1) problem(`job ${n}: could not be removed`);
  }),
};

function addAll(kind, numbers) {
  const adding = ADDING[kind](numbers)
    .catch((error) => problem(`${kind}: ${error.stack}`))
    .finally(() => underWay.delete(adding));
  underWay.add(adding);
}

function each(one) {
  return (numbers) => Promise.all(numbers.map(one));
}

async function add(n, kind, opts) {
  const job = await queue.add(kind, dataOf(n, kind), opts);
  book(n, kind);
  return job;
}

function dataOf(n, kind) {
  return { n, kind, to: 'ada@example.com' };
}

function book(n, kind) {
  added.push(n, KIND_NAMES.indexOf(kind));
}
