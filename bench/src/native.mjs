import { median } from './stats.mjs';

const JOBS = 20_000;
const BATCH = 100;
const REPEATS = 3;
const ROUND_TRIPS = 3_000;
const KEY = 'native';
const GROUP = 'workers';
/** About what one of our jobs is: 26 characters of id, a small payload, a time. */
const BODY = 'x'.repeat(64);

/**
 * What the server needs for the bare commands of a job, by its own account, and what a round trip takes: of a PING, and of
 * an XADD that is awaited.
 *
 * @param {import('ioredis').Redis} admin
 * @returns {Promise<{ usecPerJob: Record<string, number>, roundTripUs: number, xaddUs: number }>}
 */
export async function measureNative(admin) {
  const runs = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) runs.push(await cycle(admin));
  const usecPerJob = Object.fromEntries(
    Object.keys(runs[0]).map((command) => [command, median(runs.map((run) => run[command]))]),
  );
  const roundTripUs = await roundTrip(() => admin.ping());
  const xaddUs = await roundTrip(() => admin.xadd(KEY, '*', 'd', BODY, 'n', 'welcome'));
  return { usecPerJob, roundTripUs, xaddUs };
}

async function cycle(admin) {
  await admin.flushall('SYNC');
  await admin.xgroup('CREATE', KEY, GROUP, '0', 'MKSTREAM');
  await admin.config('RESETSTAT');
  for (let done = 0; done < JOBS; done += BATCH) {
    const adds = admin.pipeline();
    for (let index = 0; index < BATCH; index += 1) adds.xadd(KEY, '*', 'd', BODY, 'n', 'welcome');
    await adds.exec();
  }
  for (let done = 0; done < JOBS; done += BATCH) {
    const reply = await admin.call('XREADGROUP', 'GROUP', GROUP, 'w', 'COUNT', BATCH, 'STREAMS', KEY, '>');
    const [[, entries]] = reply;
    const ids = entries.map(([id]) => id);
    await admin
      .pipeline()
      .xack(KEY, GROUP, ...ids)
      .xdel(KEY, ...ids)
      .exec();
  }
  const stats = await admin.info('commandstats');
  return Object.fromEntries(
    ['xadd', 'xreadgroup', 'xack', 'xdel'].map((command) => {
      const usec = new RegExp(`cmdstat_${command}:calls=\\d+,usec=(\\d+)`).exec(stats);
      return [command, Number(usec?.[1] ?? 0) / JOBS];
    }),
  );
}

async function roundTrip(call) {
  for (let index = 0; index < ROUND_TRIPS / 3; index += 1) await call();
  const started = performance.now();
  for (let index = 0; index < ROUND_TRIPS; index += 1) await call();
  return ((performance.now() - started) / ROUND_TRIPS) * 1_000;
}

/**
 * Rates as a share of what the server could do with the same commands alone.
 *
 * @param {object[]} scenarios
 * @param {import('./rows.mjs').Row[]} rows
 * @param {{ usecPerJob: Record<string, number> }} native
 */
export function sharesOf(scenarios, rows, { usecPerJob }) {
  const measured = scenarios
    .filter((scenario) => scenario.native)
    .map(({ name, title, native }) => ({
      title,
      usec: native.reduce((sum, command) => sum + usecPerJob[command], 0),
      rates: rows.find((row) => row.scenario === name && row.metric === 'rate').medians,
    }));
  const shares = measured.map(({ title, usec, rates }) => share(title, usec, rates));
  if (measured.length === 2) {
    const [add, consume] = measured;
    const both = Object.keys(add.rates).filter((variant) => consume.rates[variant]);
    const rates = Object.fromEntries(
      both.map((variant) => [variant, 1 / (1 / add.rates[variant] + 1 / consume.rates[variant])]),
    );
    shares.push(share('the whole cycle', add.usec + consume.usec, rates));
  }
  return shares;
}

function share(title, usec, rates) {
  const limit = 1e6 / usec;
  return {
    title,
    limit,
    shares: Object.fromEntries(Object.entries(rates).map(([variant, rate]) => [variant, rate / limit])),
  };
}
