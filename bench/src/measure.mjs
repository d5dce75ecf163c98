import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { profileName } from './profile.mjs';
import { readServer, resetServer, serverDelta } from './server.mjs';

/** A measurement that takes longer than this has hung. */
const LIMIT_MS = 300_000;
const WARM_UP_MS = { quick: 700, full: 2_000 };

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));

/**
 * One measurement: an empty server, what the scenario prepares, then its processes.
 *
 * @param {object} scenario
 * @param {import('../drivers/index.mjs').VariantName} variant
 * @param {{ admin: import('ioredis').Redis, port: number, quick: boolean, profileDir?: string }} bench
 */
export async function measure(scenario, variant, { admin, port, quick, profileDir }) {
  await admin.flushall('SYNC');
  await admin.memory('PURGE').catch(() => undefined);

  const sizes = sizesOf(scenario, variant, quick);
  const processes = scenario.processes ?? 1;
  const order = { type: 'start', scenario: scenario.name, variant, port, sizes, processes };

  if (scenario.prepare) {
    const child = startChild({ ...order, phase: 'prepare' });
    await child.said('done');
    await child.ended();
  }

  const children = Array.from({ length: processes }, (_, index) =>
    startChild({
      ...order,
      phase: 'measure',
      ...(profileDir && {
        profileFile: join(profileDir, profileName(scenario.name, variant, index)),
      }),
    }),
  );
  try {
    await Promise.all(children.map((child) => child.said('ready')));
    await resetServer(admin);
    const before = await readServer(admin);
    for (const child of children) child.tell({ type: 'go' });
    const results = await Promise.all(children.map((child) => child.said('done')));
    const server = serverDelta(before, await readServer(admin));
    for (const child of children) child.tell({ type: 'close' });
    await Promise.all(children.map((child) => child.ended()));
    return { ...summary(scenario, results, server, sizes), quick };
  } finally {
    for (const child of children) child.kill();
  }
}

/** The faster side gets more jobs, so that both are measured for seconds. */
function sizesOf(scenario, variant, quick) {
  const { oursTimes = 1, ...sizes } = quick ? scenario.sizes.quick : scenario.sizes.full;
  const times = variant.startsWith('ours') ? oursTimes : 1;
  return {
    ...sizes,
    ...(sizes.jobs !== undefined && { jobs: sizes.jobs * times }),
    warmUpMs: quick ? WARM_UP_MS.quick : WARM_UP_MS.full,
  };
}

function summary(scenario, results, server, sizes) {
  const startedUs = Math.min(...results.map((result) => result.startedUs));
  const endedUs = Math.max(...results.map((result) => result.endedUs));
  const seconds = (endedUs - startedUs) / 1e6;
  const jobs = results.reduce((sum, result) => sum + (result.jobs ?? 0), 0);
  const cpuUs = results.reduce((sum, result) => sum + result.cpuUs, 0);
  const perJob = (value) => (jobs > 0 ? value / jobs : undefined);
  if (scenario.exactly && jobs !== scenario.exactly(sizes)) {
    throw new Error(`${scenario.name}: ${jobs} jobs were handled, not ${scenario.exactly(sizes)}`);
  }
  return {
    version: results[0].version,
    seconds,
    jobs,
    commands: server.commands,
    values: {
      rate: jobs > 0 ? jobs / seconds : undefined,
      clientCpuUs: perJob(cpuUs),
      redisCpuUs: perJob(server.cpuUs),
      slowestCallMs: server.slowestCallMs,
      stallMs: Math.max(...results.map((result) => result.stallMs)),
      ...results[0].values,
      ...scenario.fromServer?.({ ...server, seconds, jobs, clientCpuUs: cpuUs }),
    },
  };
}

/** @param {object} order */
function startChild(order) {
  const child = fork(CHILD, { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${order.scenario} with ${order.variant}: the process ended with ${signal ?? code}`),
        );
    });
  });
  ended.catch(() => undefined);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  child.once('exit', () => clearTimeout(limit));
  child.send(order);

  return {
    tell: (message) => child.send(message),
    ended: () => ended,
    kill: () => child.exitCode === null && child.kill('SIGKILL'),
    said: (type) =>
      Promise.race([
        new Promise((resolve) => {
          child.on('message', (message) => message.type === type && resolve(message));
        }),
        ended.then(() =>
          Promise.reject(new Error(`${order.scenario}: the process ended before it was ${type}`)),
        ),
      ]),
  };
}
