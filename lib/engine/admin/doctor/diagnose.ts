import { fieldsOf } from '../../../redis/replies.js';
import type { Master, Servers } from '../servers.js';
import { Findings } from './finding.js';
import type { Finding } from './finding.js';
import { checkPermissions } from './permissions.js';
import * as queues from './queue-checks.js';
import { readQueueFacts } from './queue-facts.js';
import * as server from './server-checks.js';
import type { Fields } from './server-checks.js';
import { checkSlowScripts } from './slow-scripts.js';

export interface DiagnoseOptions {
  /** The queues to check. The first one stands for all when permissions are checked. */
  readonly queues: readonly string[];
  readonly signal?: AbortSignal;
}

/** Checks the servers, and then each queue. It changes nothing. Yields the findings of each subject when they are there. */
export async function* diagnose(
  servers: Servers,
  { queues: names, signal }: DiagnoseOptions,
): AsyncGenerator<readonly Finding[]> {
  for (const master of await servers.masters()) {
    signal?.throwIfAborted();
    yield await checkServer(master, names[0] ?? 'doctor');
  }
  for (const name of names) {
    signal?.throwIfAborted();
    yield await checkQueue(servers, name);
  }
}

async function checkServer(master: Master, queue: string): Promise<readonly Finding[]> {
  const findings = new Findings(`server ${master.address}`);
  const clock = await readClock(master);
  await findings.attempt('server', async () => {
    const info = server.parseInfo(String(await master.call('INFO')));
    const config = await readConfig(findings, master);
    server.checkVersion(findings, info);
    server.checkPersistence(findings, info, config?.get('save'));
    server.checkEviction(findings, info);
    server.checkMemory(findings, info);
    server.checkReplicas(findings, info, config);
    server.checkClients(findings, info, config);
    if (config) server.checkOutputBuffer(findings, config.get('client-output-buffer-limit'));
  });
  server.checkClock(findings, clock.skewMs, clock.uncertainMs);
  await findings.attempt('permissions', () => checkPermissions(findings, master, queue));
  await checkSlowScripts(findings, master, (Date.now() - clock.skewMs) / 1000);
  return findings.all;
}

/** Undefined if the user may not read it, which becomes a finding. */
async function readConfig(findings: Findings, master: Master): Promise<Fields | undefined> {
  let config: Map<string, string> | undefined;
  await findings.attempt('configuration', async () => {
    const read = new Map<string, string>();
    for (const name of ['save', 'maxclients', 'min-replicas-to-write', 'client-output-buffer-limit']) {
      const reply = fieldsOf(await master.call('CONFIG', 'GET', name));
      if (reply.has(name)) read.set(name, String(reply.get(name)));
    }
    config = read;
  });
  return config;
}

/** Compares the clocks, with the quickest of some round trips. */
async function readClock(master: Master): Promise<{ skewMs: number; uncertainMs: number }> {
  let best = { skewMs: 0, uncertainMs: Infinity };
  for (let i = 0; i < 3; i++) {
    const begun = performance.now();
    const [seconds, micros] = (await master.call('TIME')) as [string, string];
    const took = performance.now() - begun;
    const theirs = Number(seconds) * 1000 + Number(micros) / 1000;
    const skewMs = Date.now() - took / 2 - theirs;
    if (took / 2 < best.uncertainMs) best = { skewMs, uncertainMs: took / 2 };
  }
  return best;
}

async function checkQueue(servers: Servers, name: string): Promise<readonly Finding[]> {
  const findings = new Findings(`queue ${name}`);
  await findings.attempt('queue', async () => {
    const facts = await readQueueFacts(servers.link, name, findings);
    if (!facts) return;
    queues.checkStream(findings, facts);
    queues.checkGroups(findings, facts);
    queues.checkWorkers(findings, facts);
    queues.checkBacklog(findings, facts);
    queues.checkDeadLetters(findings, facts);
    queues.checkSchedules(findings, facts);
  });
  return findings.all;
}
