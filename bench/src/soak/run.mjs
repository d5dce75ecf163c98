import { setTimeout as sleep } from 'node:timers/promises';
import { startProgress } from '../progress.mjs';
import { Ledger } from './ledger.mjs';
import { countLetters, lookAtServer, remains } from './look.mjs';
import { PROCESSES } from './measures.mjs';
import { startProcess } from './processes.mjs';

const SPECS = 2;
const SETTLE_POLL_MS = 250;
/** More than the slowest job takes once it is due. */
const SETTLE_MS = 60_000;
const LAST_EVENTS_MS = 2_000;
const CLOSED_MS = 1_000;

/**
 * @param {{ admin: import('ioredis').Redis, port: number }} server
 * @param {{ rate: number, json: boolean, runMs: number, sampleMs: number, restartMs: number, replaceMs: number,
 *   longestDelayMs: number }} plan
 * @param {AbortSignal} signal ends the load early
 */
export async function runSoak(server, plan, signal) {
  const ledger = new Ledger((plan.runMs / 1_000) * plan.rate);
  const listeners = {
    added: ({ jobs }) => ledger.added(jobs),
    worked: (books) => ledger.worked(books),
    heard: (counts) => ledger.heard(counts),
    problem: ({ text }) => ledger.problem(text),
  };
  const open = new Set();
  const start = async (role) => {
    const one = startProcess(role, listeners);
    open.add(one);
    await one.ask('start', 'started', { port: server.port, ...plan });
    return one;
  };
  const close = async (one) => {
    await one.close();
    open.delete(one);
  };

  try {
    const listener = await start('listener');
    const worker = await start('worker');
    let guest = await start('worker');
    const producer = await start('producer');
    const members = { producer, worker, listener };
    const replace = async () => {
      const old = guest;
      [guest] = await Promise.all([start('worker'), close(old)]);
    };
    const begun = performance.now();
    const samples = await load({ server, plan, signal, ledger, members, replace });
    const ranMs = performance.now() - begun;

    const { fired } = await producer.ask('stop', 'stopped');
    await settled(ledger, plan.longestDelayMs + SETTLE_MS);
    await sleep(LAST_EVENTS_MS);
    for (const one of [guest, worker, producer, listener]) await close(one);
    const letters = await countLetters(server.admin);
    await sleep(CLOSED_MS);
    const left = await remains(server.admin);
    const { counts, checks, examples } = ledger.close({ fired, specs: SPECS, letters });
    checks.push(
      { title: 'jobs left in Redis', seen: left.jobs, expected: 0, ok: left.jobs === 0 },
      { title: 'connections left open', seen: left.clients, expected: 0, ok: left.clients === 0 },
    );
    return { samples, ranMs, counts, checks, examples };
  } finally {
    await Promise.all([...open].map((one) => one.kill()));
  }
}

/** Samples, and restarts workers now and then, until the time is over. */
async function load({ server, plan, signal, ledger, members, replace }) {
  const minutes = Math.max(1, Math.floor(plan.runMs / 60_000));
  const progress = startProgress(minutes, { silent: plan.json });
  const samples = [];
  const begun = performance.now();
  const elapsed = () => performance.now() - begun;
  const next = { sample: 0, restart: plan.restartMs, replace: plan.replaceMs };
  let minute = 1;
  try {
    while (elapsed() < plan.runMs && !signal.aborted) {
      if (elapsed() >= next.sample) {
        next.sample += plan.sampleMs;
        samples.push(await sample(server, members, elapsed()));
        progress.begin(summary(samples.at(-1), ledger));
      }
      if (elapsed() >= next.restart) {
        next.restart += plan.restartMs;
        await members.worker.ask('restart', 'restarted');
      }
      if (elapsed() >= next.replace) {
        next.replace += plan.replaceMs;
        await replace();
      }
      if (elapsed() >= minute * 60_000) {
        minute += 1;
        progress.step(summary(samples.at(-1), ledger));
      }
      const due = Math.min(next.sample, next.restart, next.replace, minute * 60_000, plan.runMs);
      await sleep(Math.max(0, due - elapsed()), undefined, { signal }).catch(() => undefined);
    }
    if (minute === minutes) progress.step(summary(samples.at(-1), ledger));
  } finally {
    progress.stop();
  }
  return samples;
}

async function sample({ admin }, members, at) {
  const memories = [];
  // One after another: a collection of garbage takes the processor from the others.
  for (const name of PROCESSES) memories.push([name, await members[name].ask('sample', 'sample')]);
  return { at: Math.round(at), ...Object.fromEntries(memories), redis: await lookAtServer(admin) };
}

function summary({ producer, worker, listener, redis }, ledger) {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  const heaps = [producer, worker, listener].map(({ heap }) => mib(heap)).join(' ');
  const problems = ledger.problemsSoFar > 0 ? ` · ${ledger.problemsSoFar} errors` : '';
  return (
    `${ledger.addedSoFar.toLocaleString('en-US')} jobs · heaps ${heaps} MiB · ` +
    `Redis ${mib(redis.memory)} MiB, ${redis.keys} keys${problems}`
  );
}

async function settled(ledger, patienceMs) {
  const until = performance.now() + patienceMs;
  while (!ledger.settled && performance.now() < until) await sleep(SETTLE_POLL_MS);
}
