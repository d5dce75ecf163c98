import type { Findings } from './finding.js';

/** The fields of INFO or of CONFIG GET, by name. */
export type Fields = ReadonlyMap<string, string>;

export function parseInfo(text: string): Fields {
  return new Map(
    [...text.matchAll(/^([a-z_0-9]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

const number = (fields: Fields, name: string): number => Number(fields.get(name) ?? NaN);

export function checkVersion(findings: Findings, info: Fields): void {
  const valkey = info.get('valkey_version');
  const name = valkey ? `Valkey ${valkey}` : `Redis ${info.get('redis_version') ?? 'of an unknown version'}`;
  findings.ok('server-version', `${name}, mode ${info.get('redis_mode') ?? 'unknown'}.`);
}

const NO_PERSISTENCE = 'Set "appendonly yes", or "save" for snapshots: see docs/reliability.md.';

/** @param save the directive `save`; undefined if it is not known */
export function checkPersistence(findings: Findings, info: Fields, save: string | undefined): void {
  const check = 'persistence';
  if (info.get('aof_enabled') === '1') {
    if (info.get('aof_last_write_status') === 'err') {
      findings.error(
        check,
        'The last write to the append-only file failed.',
        'Check the disk of the server, and its log.',
      );
    } else findings.ok(check, 'The append-only file is on.');
  } else if (save === '') {
    const replicas = number(info, 'connected_slaves');
    const message = 'Redis writes nothing to disk: a restart loses all jobs.';
    if (replicas > 0)
      findings.warning(check, `${message} Only its ${String(replicas)} replicas have them.`, NO_PERSISTENCE);
    else findings.error(check, message, NO_PERSISTENCE);
  } else {
    findings.warning(
      check,
      `Redis saves only snapshots${save === undefined ? '' : ` (save ${save})`}: a crash loses the jobs since the last one.`,
      'Set "appendonly yes", with "appendfsync everysec" or "always".',
    );
  }
  if (info.get('rdb_last_bgsave_status') === 'err') {
    findings.error(
      check,
      'The last snapshot failed. Redis may refuse writes (stop-writes-on-bgsave-error).',
      'Check the disk and the memory of the server, and its log.',
    );
  }
}

export function checkEviction(findings: Findings, info: Fields): void {
  const policy = info.get('maxmemory_policy');
  const check = 'eviction';
  if (policy === undefined) {
    findings.info(check, 'The server does not tell its maxmemory-policy.');
    return;
  }
  if (policy === 'noeviction') {
    findings.ok(check, 'maxmemory-policy is noeviction: no job is dropped for lack of memory.');
    return;
  }
  const lost = policy.startsWith('volatile-') ? 'results and markers of job ids' : 'jobs';
  const remedy = 'Set "maxmemory-policy noeviction".';
  if (number(info, 'maxmemory') > 0) {
    findings.error(
      check,
      `maxmemory-policy is ${policy}: at its memory limit Redis silently drops ${lost}.`,
      remedy,
    );
  } else {
    findings.warning(
      check,
      `maxmemory-policy is ${policy}. There is no memory limit now; with one, Redis would silently drop ${lost}.`,
      remedy,
    );
  }
}

const HIGH = 0.8;
const CRITICAL = 0.95;

export function checkMemory(findings: Findings, info: Fields): void {
  const check = 'memory';
  const used = number(info, 'used_memory');
  const limit = number(info, 'maxmemory');
  const system = number(info, 'total_system_memory');
  if (Number.isNaN(used)) {
    findings.info(check, 'The server does not tell how much memory it uses.');
    return;
  }
  const [most, what] = limit > 0 ? [limit, 'its limit (maxmemory)'] : [system, 'the memory of its machine'];
  const part = used / most;
  const text = `Redis uses ${mib(used)}, ${Number.isFinite(part) ? `${percent(part)} of ${what}, ${mib(most)}` : 'and has no limit'}.`;
  const remedy = 'Drop dead letters and results that nobody needs, add workers, or add memory.';
  if (part >= CRITICAL) findings.error(check, `${text} At 100 % it accepts no more jobs.`, remedy);
  else if (part >= HIGH) findings.warning(check, text, remedy);
  else findings.ok(check, text);
  if (limit === 0 && part < HIGH) {
    findings.info(
      'memory-limit',
      'There is no memory limit (maxmemory 0): when the machine has no memory left, its kernel ends Redis.',
      'Set "maxmemory" to about three quarters of the memory of the machine.',
    );
  }
}

export function checkReplicas(findings: Findings, info: Fields, config: Fields | undefined): void {
  const check = 'replicas';
  const replicas = number(info, 'connected_slaves') || 0;
  const wanted = Number(config?.get('min-replicas-to-write') ?? 0);
  const good = info.has('min_slaves_good_slaves') ? number(info, 'min_slaves_good_slaves') : replicas;
  if (wanted > good) {
    findings.error(
      check,
      `Redis refuses writes: it needs ${String(wanted)} replicas that keep up (min-replicas-to-write) and has ${String(good)}.`,
      'Bring the replicas up, or lower min-replicas-to-write.',
    );
    return;
  }
  const states = [...info].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => value);
  const broken = states.filter(
    (state) => !state.includes('state=online') || Number(/lag=(\d+)/.exec(state)?.[1]) > 10,
  );
  if (broken.length > 0) {
    findings.warning(
      check,
      `${String(broken.length)} of ${String(replicas)} replicas are not online, or more than 10 seconds late: a failover would lose jobs.`,
      'Check the replicas and the network between them and the server.',
    );
  } else if (replicas === 0)
    findings.info(check, 'There is no replica: while this server is down, no job runs.');
  else findings.ok(check, `${String(replicas)} replicas keep up.`);
}

export function checkClients(findings: Findings, info: Fields, config: Fields | undefined): void {
  const connected = number(info, 'connected_clients');
  const most = Number(info.get('maxclients') ?? config?.get('maxclients') ?? NaN);
  if (Number.isNaN(connected) || Number.isNaN(most)) return;
  const text = `${String(connected)} of at most ${String(most)} clients are connected.`;
  if (connected / most >= HIGH) {
    findings.warning(
      'clients',
      text,
      'Raise maxclients, or let queues and workers share a connection object.',
    );
  } else findings.ok('clients', text);
}

/** Below this, a read of many or large jobs may be cut off. Workers then read less at once. */
const LEAST_BUFFER = 16 * 1024 * 1024;

/** @param limits the directive `client-output-buffer-limit` */
export function checkOutputBuffer(findings: Findings, limits: string | undefined): void {
  const check = 'output-buffer';
  const [, hard = '', soft = ''] = /normal (\d+) (\d+)/.exec(limits ?? '') ?? [];
  const least = Math.min(...[hard, soft].map(Number).filter((bytes) => bytes > 0));
  if (hard === '') findings.info(check, 'The server does not tell its client-output-buffer-limit.');
  else if (least < LEAST_BUFFER) {
    findings.warning(
      check,
      `client-output-buffer-limit normal is ${mib(least)}: Redis closes a connection whose reply is larger, such as a read of large jobs.`,
      'Set "client-output-buffer-limit normal 0 0 0", or at least 16 MiB.',
    );
  } else findings.ok(check, 'client-output-buffer-limit does not cut off replies.');
}

/** @param skewMs how far the clock of this host is ahead of Redis's; `uncertainMs`: by how much this may be wrong */
export function checkClock(findings: Findings, skewMs: number, uncertainMs: number): void {
  const ahead = Math.abs(skewMs) - uncertainMs;
  const text = `The clock of this host is ${(Math.abs(skewMs) / 1000).toFixed(ahead < 1000 ? 3 : 1)} s ${skewMs >= 0 ? 'ahead of' : 'behind'} Redis's.`;
  if (ahead < 1_000) findings.ok('clock', text);
  else {
    findings.warning(
      'clock',
      `${text} Jobs that are added for a point in time run that much ${skewMs >= 0 ? 'later' : 'earlier'} by the clock of this host.`,
      'Synchronize both clocks (NTP).',
    );
  }
}

function mib(bytes: number): string {
  const size = bytes / 1024 / 1024;
  return size >= 1024 ? `${(size / 1024).toFixed(1)} GiB` : `${size.toFixed(size < 10 ? 1 : 0)} MiB`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
}
