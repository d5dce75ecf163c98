import { Option } from 'commander';
import type { Command } from 'commander';

/** Options that every command has, before or after its name. */
export interface GlobalOptions {
  readonly redisUrl?: string;
  readonly username?: string;
  readonly askPassword?: boolean;
  readonly cluster?: boolean;
  readonly sentinel?: readonly string[];
  readonly sentinelName?: string;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsInsecure?: boolean;
  readonly timeout: number;
  readonly json?: boolean;
  /** False after `--no-color`. */
  readonly color: boolean;
  readonly yes?: boolean;
  readonly verbose?: boolean;
}

/** Passwords are not options: the arguments of a process are visible to all users of the machine. */
export const PASSWORD = 'CHASQUI_REDIS_PASSWORD';
export const SENTINEL_PASSWORD = 'CHASQUI_SENTINEL_PASSWORD';
export const DEFAULT_URL = 'redis://127.0.0.1:6379';

/** Options that the help of each command shows too. */
export const GENERAL: ReadonlySet<string> = new Set(['json', 'color', 'yes', 'verbose']);

export function addGlobalOptions(program: Command, duration: (text: string) => number): void {
  const option = (flags: string, text: string): Option => new Option(flags, text);
  const all = [
    option(
      '--redis-url <url>',
      'where Redis is: redis:// or rediss://, redis+sentinel://host,host/name for Sentinel; else REDIS_URL, else redis://127.0.0.1:6379',
    ).env('CHASQUI_REDIS_URL'),
    option('--username <name>', 'ACL user').env('CHASQUI_REDIS_USERNAME'),
    option('--ask-password', `ask for the password; else ${PASSWORD}, or the one in the URL`),
    option('--cluster', 'the server is a node of a cluster').env('CHASQUI_CLUSTER'),
    option('--sentinel <host:port>', 'a sentinel; repeat it for more').argParser(
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    ),
    option('--sentinel-name <name>', 'the name of the master that the sentinels watch').env(
      'CHASQUI_SENTINEL_NAME',
    ),
    option('--tls', 'use TLS, as rediss:// does'),
    option('--tls-ca <file>', 'certificate authority, PEM').env('CHASQUI_TLS_CA'),
    option('--tls-cert <file>', 'client certificate, PEM').env('CHASQUI_TLS_CERT'),
    option('--tls-key <file>', 'key of the client certificate, PEM').env('CHASQUI_TLS_KEY'),
    option('--tls-insecure', 'do not check the certificate of the server'),
    option('--timeout <duration>', 'longest time to connect, and to wait for one answer')
      .default(5000, '5s')
      .argParser(duration),
    option('--json', 'print JSON'),
    option('--no-color', 'print no colors; NO_COLOR and FORCE_COLOR work too'),
    option('-y, --yes', 'do not ask for confirmation'),
    option('--verbose', 'print the stack of an error'),
  ];
  for (const each of all)
    program.addOption(each.helpGroup(GENERAL.has(each.attributeName()) ? 'General options:' : 'Connection:'));
}
