import { resolveServerBinary } from './find-server.js';
import { launch, ServerProcess, type LaunchPlan } from './server-process.js';

export interface RedisServerOptions {
  /** More arguments for the server, such as `['--maxmemory', '10mb']`. They override the options below. */
  readonly args?: readonly string[];
  /** `no` (the default) keeps nothing on disk. `everysec` and `always` turn on the AOF with that fsync. */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  /** An existing folder for its files, which is kept. Default: a new temporary folder, which `stop` removes. */
  readonly dir?: string;
  /** Default: a free loopback port. */
  readonly port?: number;
  /** Default: none. */
  readonly password?: string;
  /** Default: the result of `resolveServerBinary()`. */
  readonly binary?: string;
  /** Gets each line that the server prints. */
  readonly log?: (line: string) => void;
}

/**
 * A private Redis or Valkey server on loopback, for tests, samples and benchmarks. It keeps nothing on disk by default,
 * and ends with this process at the latest.
 */
export class RedisServer extends ServerProcess {
  /**
   * Resolves once the server answers PING and has loaded its data.
   *
   * @throws Error if there is no server binary, or if the server does not start; the message has its last lines
   */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const plan: LaunchPlan = {
      binary: options.binary ?? (await resolveServerBinary()),
      command: (port, dir) => serverArgs(options, port, dir),
      port: options.port,
      dir: options.dir,
      password: options.password,
      log: options.log,
    };
    return launch(plan, (place) => new RedisServer(plan, place));
  }
}

function serverArgs(options: RedisServerOptions, port: number, dir: string): readonly string[] {
  const { appendonly = 'no', password, args = [] } = options;
  return [
    ...['--port', String(port), '--bind', '127.0.0.1', '--protected-mode', 'yes', '--daemonize', 'no'],
    ...['--dir', dir, '--logfile', '', '--save', ''],
    // Without a file, a replica whose link is up gets nothing that is written in the next second.
    ...['--repl-diskless-sync', 'no'],
    ...(appendonly === 'no' ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', appendonly]),
    ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
    ...args,
  ];
}
