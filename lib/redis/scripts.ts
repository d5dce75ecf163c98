import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command } from 'ioredis';
import type { Client } from './client.js';
import type { QueueKeys } from './keys.js';

/** One per file in lua/. */
export type ScriptName =
  | 'add'
  | 'announce'
  | 'backlog'
  | 'cancel'
  | 'complete'
  | 'dead-letter'
  | 'due-repeats'
  | 'fire-repeat'
  | 'list-repeats'
  | 'promote'
  | 'reclaim'
  | 'release'
  | 'remove-repeat'
  | 'renew'
  | 'resign'
  | 'replay'
  | 'retire'
  | 'retry'
  | 'start'
  | 'upsert-repeat';

/** Keys of a script that are not the same for every call on a queue. */
export interface ExtraKeys {
  /** Of one producer. */
  calls?: string;
  /** Of the promoter or of the scheduler. */
  lock?: string;
  wake?: string;
}

type KeyName =
  { [K in keyof QueueKeys]: QueueKeys[K] extends string ? K : never }[keyof QueueKeys] | keyof ExtraKeys;

interface Script {
  readonly source: string;
  readonly sha: string;
  /** In the order of the `KEYS` line of its header: the one place where a script's keys are listed. */
  readonly keys: readonly KeyName[];
}

const INCLUDES: Partial<Record<ScriptName, readonly string[]>> = {
  add: ['events', 'envelope', 'once'],
  announce: ['events'],
  backlog: ['events'],
  complete: ['owned', 'events'],
  'dead-letter': ['owned', 'events', 'open'],
  'due-repeats': ['events'],
  'fire-repeat': ['events', 'job'],
  promote: ['events', 'envelope'],
  release: ['owned', 'open'],
  replay: ['events', 'open'],
  retry: ['owned', 'events'],
  start: ['owned'],
};

const folder = new URL('../../lua/', import.meta.url);
const loaded = new Map<ScriptName, Script>();

function load(name: ScriptName): Script {
  let script = loaded.get(name);
  if (script) return script;
  const body = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  const parts = (INCLUDES[name] ?? []).map((part) =>
    readFileSync(new URL(`lib/${part}.lua`, folder), 'utf8'),
  );
  const source = [...parts, body].join('\n');
  const keys = /^-- KEYS (.+)$/m.exec(body)?.[1]?.trim().split(/\s+/) ?? [];
  script = { source, sha: createHash('sha1').update(source).digest('hex'), keys: keys as KeyName[] };
  loaded.set(name, script);
  return script;
}

export type ScriptArgument = string | number | Buffer;

export interface RunOptions extends ExtraKeys {
  /** Bulk strings of the reply as Buffers instead of UTF-8 strings. */
  buffers?: boolean;
}

/**
 * Runs one of lua/ on `client`, by its hash, and by its source where the server does not know it (first use, restart,
 * SCRIPT FLUSH). A script that is not known has not run, so sending it again is safe.
 */
export async function runScript(
  client: Client,
  name: ScriptName,
  keys: QueueKeys,
  args: readonly ScriptArgument[],
  options?: RunOptions,
): Promise<unknown> {
  const script = load(name);
  const tail: ScriptArgument[] = [script.keys.length];
  for (const key of script.keys) tail.push(keyOf(key, keys, options));
  for (const arg of args) tail.push(arg);
  const replyEncoding = options?.buffers ? null : 'utf8';
  try {
    return await send(client, 'evalsha', script.sha, tail, replyEncoding);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return await send(client, 'eval', script.source, tail, replyEncoding);
  }
}

function keyOf(name: KeyName, keys: QueueKeys, options: RunOptions | undefined): string {
  return name === 'calls' || name === 'lock' || name === 'wake' ? (options?.[name] ?? '') : keys[name];
}

function send(
  client: Client,
  command: string,
  script: string,
  tail: readonly ScriptArgument[],
  replyEncoding: 'utf8' | null,
): Promise<unknown> {
  // A Command of our own spares ioredis's argument flattening and one closure a call.
  return client.sendCommand(
    new Command(command, [script, ...(tail as (string | Buffer)[])], { replyEncoding }),
  ) as Promise<unknown>;
}
