import { Redis } from 'ioredis';

/** Calls above this are remembered by the server, and the slowest of them reported. */
const SLOW_US = 500;
const SLOW_CALLS = 10_000;
const COMMANDS_OF_A_LOOK = 2;

/**
 * A private server, and a connection to look at it.
 *
 * @param {{ slowCalls?: boolean }} [options] whether it remembers slow calls, which takes memory
 */
export async function startServer({ slowCalls = true } = {}) {
  const { RedisServer } = await import('nestjs-chasqui/testing');
  const slowerThan = String(slowCalls ? SLOW_US : -1);
  const server = await RedisServer.start({
    args: ['--slowlog-log-slower-than', slowerThan, '--slowlog-max-len', String(SLOW_CALLS)],
  });
  const admin = new Redis({ host: '127.0.0.1', port: server.port, protocol: 2 });
  const info = parseInfo(await admin.info('server'));
  return {
    port: server.port,
    admin,
    version: info.get('valkey_version') ?? info.get('redis_version'),
    product: info.has('valkey_version') ? 'Valkey' : 'Redis',
    async stop() {
      admin.disconnect();
      await server.stop();
    },
  };
}

/** @param {import('ioredis').Redis} admin */
export async function readServer(admin) {
  const [text, slow] = await Promise.all([admin.info('all'), admin.slowlog('GET', SLOW_CALLS)]);
  const info = parseInfo(text);
  const number = (field) => Number(info.get(field) ?? 0);
  return {
    cpuUs: (number('used_cpu_sys') + number('used_cpu_user')) * 1e6,
    memory: number('used_memory') - number('mem_clients_normal'),
    connections: number('connected_clients') - 1,
    processed: number('total_commands_processed'),
    commands: commandStats(info),
    slowestCallMs: Math.max(0, ...slow.map(([, , us]) => us)) / 1_000,
  };
}

/** Forgets what has been counted so far. */
export async function resetServer(admin) {
  await admin.slowlog('RESET');
  await admin.config('RESETSTAT');
}

/** What happened between two looks; the command statistics were reset at the first. */
export function serverDelta(before, after) {
  return {
    cpuUs: after.cpuUs - before.cpuUs,
    memory: after.memory - before.memory,
    connections: after.connections,
    // Those of the second look are among them.
    processed: after.processed - before.processed - COMMANDS_OF_A_LOOK,
    commands: after.commands,
    slowestCallMs: after.slowestCallMs,
  };
}

/** @param {string} text */
export function parseInfo(text) {
  const fields = new Map();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

function commandStats(info) {
  const stats = {};
  for (const [field, value] of info) {
    if (!field.startsWith('cmdstat_')) continue;
    const name = field.slice('cmdstat_'.length);
    if (['info', 'config|resetstat', 'slowlog|get', 'slowlog|reset'].includes(name)) continue;
    const parts = Object.fromEntries(value.split(',').map((part) => part.split('=')));
    stats[name] = { calls: Number(parts.calls), usec: Number(parts.usec) };
  }
  return stats;
}
