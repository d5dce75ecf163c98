import { SOURCES } from '../../../redis/scripts.generated.js';
import { queueKeys } from '../../../redis/keys.js';
import type { Master } from '../servers.js';
import type { Findings } from './finding.js';
import { refusalOf } from './finding.js';

/** Commands that the package sends beside its scripts. */
const DIRECT = [
  'EVALSHA',
  'EVAL',
  'XREADGROUP',
  'XREAD',
  'XRANGE',
  'XREVRANGE',
  'XINFO',
  'PING',
  'TIME',
  'EXISTS',
];

/** Commands of the scripts, as they stand in their text. */
export function scriptCommands(): string[] {
  const commands = new Set<string>();
  for (const { lua } of Object.values(SOURCES)) {
    for (const [, name = ''] of lua.matchAll(/(?:redis\.p?call|\bcall)\(\s*'([A-Z]+)'/g)) commands.add(name);
  }
  return [...commands].sort();
}

/** Commands that need other arguments than keys, or whose keys Redis finds by their arguments. */
function argumentsOf(command: string, key: string): string[] | undefined {
  switch (command) {
    case 'EVAL':
    case 'EVALSHA':
      return ['return 1', '1', key];
    case 'XREADGROUP':
      return ['GROUP', 'g', 'c', 'STREAMS', key, '>'];
    case 'XREAD':
      return ['STREAMS', key, '$'];
    case 'XINFO':
      return ['STREAM', key];
    case 'XGROUP':
      return ['CREATE', key, 'g', '$'];
    case 'PING':
    case 'TIME':
      return [];
    default:
      return undefined;
  }
}

const REMEDY = 'Give the user the rule of docs/operations.md, "The smallest ACL user".';

/** Finds commands that the connected user may not call on the keys of a queue. It changes nothing. */
export async function checkPermissions(findings: Findings, master: Master, queue: string): Promise<void> {
  const key = `${queueKeys(queue).prefix}doctor`;
  try {
    await askServer(findings, master, queue, key);
  } catch (error) {
    // ACL DRYRUN is for administrators, and newer than Redis 6.2. All others can only try.
    if (refusalOf(error) === undefined) throw error;
    await tryCommands(findings, master, queue, key);
  }
}

async function askServer(findings: Findings, master: Master, queue: string, key: string): Promise<void> {
  const user = String(await master.call('ACL', 'WHOAMI'));
  const commands = [...new Set([...DIRECT, ...scriptCommands()])];
  const arities = await aritiesOf(master, commands);
  const missing: string[] = [];
  let refusedKey = false;
  for (const command of commands) {
    const arity = arities.get(command);
    if (arity === undefined) continue;
    const args = argumentsOf(command, key) ?? padded(key, Math.abs(arity) - 1);
    const answer = String(await master.call('ACL', 'DRYRUN', user, command, ...args));
    if (answer === 'OK') continue;
    missing.push(command);
    refusedKey ||= answer.includes("access the '");
  }
  if (missing.length === 0) {
    findings.ok(
      'permissions',
      `User ${user} may call all ${String(commands.length)} commands that queues and workers need.`,
    );
  } else if (refusedKey) {
    findings.error('permissions', `User ${user} may not use the keys of queue ${queue}.`, REMEDY);
  } else findings.error('permissions', `User ${user} may not call ${missing.join(', ')}.`, REMEDY);
}

/** Calls that change nothing, because their key does not exist. */
const HARMLESS: readonly (readonly [command: string, ...args: string[]])[] = [
  ['XLEN'],
  ['XRANGE', '-', '+', 'COUNT', '1'],
  ['XDEL', '0-1'],
  ['XTRIM', 'MAXLEN', '1'],
  ['ZCARD'],
  ['ZREM', 'x'],
  ['HGET', 'x'],
  ['HDEL', 'x'],
  ['GET'],
  ['DEL'],
  ['EXISTS'],
  ['PEXPIRE', '1'],
];

async function tryCommands(findings: Findings, master: Master, queue: string, key: string): Promise<void> {
  const attempts = [
    ...HARMLESS.map(([command, ...args]) => [command, key, ...args]),
    ['EVAL', 'return 1', '1', key],
    ['TIME'],
  ];
  const missing: string[] = [];
  for (const [command = '', ...args] of attempts) {
    try {
      await master.call(command, ...args);
    } catch (error) {
      if (refusalOf(error) === undefined) throw error;
      missing.push(command);
    }
  }
  if (missing.length > 0) {
    findings.error(
      'permissions',
      `The user may not call ${missing.join(', ')} on the keys of queue ${queue}.`,
      REMEDY,
    );
  } else {
    findings.ok(
      'permissions',
      'The user may call what can be tried without a trace. An administrator can have all commands checked.',
    );
  }
}

/** How many arguments commands need. A command that the server does not have is missing. */
async function aritiesOf(master: Master, commands: readonly string[]): Promise<Map<string, number>> {
  const rows = (await master.call('COMMAND', 'INFO', ...commands)) as ([string, number] | null)[];
  const arities = new Map<string, number>();
  for (const [i, row] of rows.entries()) if (row) arities.set(commands[i] ?? '', row[1]);
  return arities;
}

function padded(key: string, count: number): string[] {
  return [key, ...Array.from({ length: Math.max(0, count - 1) }, () => '1')];
}
