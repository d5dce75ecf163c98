import { createHash } from 'node:crypto';
import type { Client } from './client.js';
import type { ExtraKeys, QueueKeys, ScriptKey } from './keys.js';
import { ScriptCall, ScriptCommand, scriptHead } from './script-command.js';
import type { ScriptHead } from './script-command.js';
import type { ScriptArgument, ScriptName, ScriptOptions } from './script-runner.js';
import { SOURCES } from './scripts.generated.js';

interface Script {
  readonly source: string;
  readonly sha: string;
  /** In the order of the `KEYS` line of the script's header, the only place that lists them. */
  readonly keys: readonly ScriptKey[];
}

const loaded = new Map<ScriptName, Script>();

function load(name: ScriptName): Script {
  let script = loaded.get(name);
  if (!script) {
    const { keys, lua } = SOURCES[name];
    script = { source: lua, sha: createHash('sha1').update(lua).digest('hex'), keys };
    loaded.set(name, script);
  }
  return script;
}

/** Redis remembers a call for ten minutes (lua/lib/call-dedup.lua), and the memory is prolonged once a minute. */
const REMEMBERED_MS = 480_000;

/** A call for {@link runScript}. */
export function scriptCall(args: readonly ScriptArgument[], options?: ScriptOptions): ScriptCall {
  return new ScriptCall(args, {
    ...(options?.calls !== undefined && { sendableMs: REMEMBERED_MS }),
    mostSends: options?.mostSends,
  });
}

/** Whether the last argument of a script is the number of the call: see lua/lib/call-replies.lua. */
export function isNumbered(name: ScriptName): boolean {
  return load(name).keys.includes('calls');
}

/** The heads of calls, by queue, and then by script and extra keys. */
const heads = new WeakMap<QueueKeys, Map<string, ScriptHead>>();

/**
 * Runs a script of lua/ by its hash. If the server does not know the hash (first use, restart, SCRIPT FLUSH), it sends the
 * source. A script that the server does not know has not run, so this is safe.
 */
export async function runScript(
  client: Pick<Client, 'sendCommand'>,
  name: ScriptName,
  keys: QueueKeys,
  args: readonly ScriptArgument[] | ScriptCall,
  options?: ScriptOptions,
): Promise<unknown> {
  const call = args instanceof ScriptCall ? args : scriptCall(args, options);
  const replyEncoding = options?.buffers ? null : 'utf8';
  try {
    const command = new ScriptCommand(headOf(name, keys, options), call, replyEncoding);
    return await client.sendCommand(command);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    const script = load(name);
    const head = scriptHead('eval', script.source, namesOf(script, keys, options));
    call.wasUnknown();
    return await client.sendCommand(new ScriptCommand(head, call, replyEncoding));
  }
}

function headOf(name: ScriptName, keys: QueueKeys, extra: ExtraKeys = {}): ScriptHead {
  let known = heads.get(keys);
  if (!known) heads.set(keys, (known = new Map<string, ScriptHead>()));
  const { calls, lock, wake, read, report } = extra;
  const id =
    (calls ?? lock ?? wake ?? read ?? report)
      ? `${name} ${calls ?? ''} ${lock ?? ''} ${wake ?? ''} ${read ?? ''} ${report ?? ''}`
      : name;
  let head = known.get(id);
  if (!head) {
    const script = load(name);
    head = scriptHead('evalsha', script.sha, namesOf(script, keys, extra));
    known.set(id, head);
  }
  return head;
}

function namesOf(script: Script, keys: QueueKeys, extra: ExtraKeys = {}): string[] {
  return script.keys.map((name) =>
    name === 'calls' || name === 'lock' || name === 'wake' || name === 'read' || name === 'report'
      ? (extra[name] ?? '')
      : keys[name],
  );
}
