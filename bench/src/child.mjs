/*
 * One process of one measurement. The parent sends what to do, is told when everything is warm, says "go", and gets
 * the figures; the process ends when it is told to, so that the parent can look at the server in between.
 */
import { Redis } from 'ioredis';
import { openVariant } from '../drivers/index.mjs';
import { startProfile } from './profile.mjs';
import { startWatch } from './watch.mjs';
import { loadScenario } from './scenarios.mjs';

const next = inbox();

const { scenario: scenarioName, variant, phase, port, sizes, processes, profileFile } = await next('start');
const scenario = await loadScenario(scenarioName);
const driver = await openVariant(variant, port);
const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
const context = {
  driver,
  redis,
  variant,
  processes,
  ...sizes,
  params: scenario.params ?? {},
  unfinished: (queue) => driver.unfinished(redis, queue),
  delayed: (queue) => driver.delayed(redis, queue),
};

if (phase === 'prepare') {
  await scenario.prepare(context);
  process.send({ type: 'done', version: driver.version });
} else {
  const { run, close } = await scenario.open(context);
  globalThis.gc?.();
  process.send({ type: 'ready' });
  await next('go');
  const stopProfile = profileFile === undefined ? undefined : await startProfile(profileFile);
  const stopWatch = startWatch();
  const result = await run();
  const watched = stopWatch();
  await stopProfile?.();
  process.send({ type: 'done', version: driver.version, ...watched, ...result });
  await next('close');
  await close?.();
}
await driver.close();
redis.disconnect();
process.disconnect();
// A side that keeps a timer or a socket must not hold up the next measurement.
setTimeout(() => process.exit(0), 2_000).unref();

/** Messages wait here until somebody asks for them. */
function inbox() {
  const waiting = new Map();
  const arrived = new Map();
  process.on('message', (message) => {
    const resolve = waiting.get(message.type);
    if (resolve) resolve(message);
    else arrived.set(message.type, message);
  });
  return (type) =>
    arrived.has(type)
      ? Promise.resolve(arrived.get(type))
      : new Promise((resolve) => waiting.set(type, resolve));
}
