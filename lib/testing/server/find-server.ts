import { resolve, sep } from 'node:path';
import { installCommand, installServer } from './install-server.js';
import { findProgram, isProgram, SERVERS } from './programs.js';

export interface ResolveServerOptions {
  /** Install a missing server with the platform's package manager. Default false. */
  readonly install?: boolean;
  /** Gets each line of progress: every command of an installation before it runs. Default: no output. */
  readonly log?: (line: string) => void;
}

/**
 * Finds a server binary. It tries these in order:
 *
 * 1. `CHASQUI_REDIS_SERVER`: a path, or a name in PATH.
 * 2. `redis-server` or `valkey-server` from PATH.
 * 3. With `install`, the platform's package manager, as root or with a `sudo` that asks for no password.
 *
 * @returns an absolute path
 * @throws Error if `CHASQUI_REDIS_SERVER` is not a program, or if there is no server and none can be installed; the
 *   message has the command that installs one
 */
export async function resolveServerBinary(options: ResolveServerOptions = {}): Promise<string> {
  const found = findServerBinary();
  if (found !== undefined) return found;
  if (options.install !== true) {
    throw new Error(
      `No redis-server or valkey-server in PATH. Install one with\n  ${installCommand()}\n` +
        'or set CHASQUI_REDIS_SERVER to the path of one.',
    );
  }
  await installServer(options.log ?? (() => undefined));
  const installed = findServerBinary();
  if (installed === undefined) {
    throw new Error('A server was installed, but redis-server and valkey-server are not in PATH');
  }
  return installed;
}

/** The absolute path of an installed server. */
export function findServerBinary(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const wanted = env['CHASQUI_REDIS_SERVER'];
  if (wanted === undefined || wanted === '') return findProgram(SERVERS, env);
  const path = wanted.includes(sep) ? resolve(wanted) : findProgram([wanted], env);
  if (path === undefined || !isProgram(path)) {
    throw new Error(`CHASQUI_REDIS_SERVER is '${wanted}', which is not a program that can be run`);
  }
  return path;
}
