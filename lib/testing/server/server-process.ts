import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { parseInfo, withAdmin } from './admin.js';
import { dieWithUs, signalGroup } from './die-with-us.js';
import { freePort } from './free-port.js';

const READY_POLL_MS = 15;
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const PORT_ATTEMPTS = 10;
const LINES_KEPT = 20;

/** The program to run, its arguments, and its port and folder. */
export interface LaunchPlan {
  readonly binary: string;
  /** The arguments for a port and a folder. */
  readonly command: (port: number, dir: string) => readonly string[];
  /** Writes the files that the server needs in its folder before its first start. */
  readonly prepare?: (port: number, dir: string) => Promise<void>;
  readonly port?: number | undefined;
  readonly dir?: string | undefined;
  readonly password?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** The port and folder that a server keeps over all its restarts. */
export interface Place {
  readonly port: number;
  readonly dir: string;
  /** True if this package has created the folder, and so removes it. */
  readonly temporary: boolean;
}

interface Run {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly pid: number;
  readonly lastLines: string[];
  /** Settles when the process has ended. `end` is aborted at the same time. */
  readonly ended: Promise<void>;
  readonly end: AbortSignal;
  /** Settles when the process has ended and all of its output has been read. */
  readonly drained: Promise<void>;
}

class PortTakenError extends Error {}

/** One server process on loopback. A test can pause, kill and restart it. */
export class ServerProcess implements AsyncDisposable {
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Its working folder: the given one, or a new temporary folder that `stop` removes. */
  readonly dir: string;

  #run: Run | undefined;
  #version = '';
  #running = false;
  #paused = false;
  #stopped: Promise<void> | undefined;

  /** Use `start` of the subclass, or `launch`, instead. */
  constructor(
    private readonly plan: LaunchPlan,
    private readonly place: Place,
  ) {
    this.port = place.port;
    this.dir = place.dir;
  }

  /** `redis://127.0.0.1:PORT`, with the password when there is one. */
  get url(): string {
    const { password } = this.plan;
    const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
    return `redis://${user}${this.host}:${this.port}`;
  }

  /** The pid of the running process, or of the last one that ran. */
  get pid(): number {
    return this.#run?.pid ?? 0;
  }

  /** The version of the server, such as `7.0.15`. For Valkey, the Valkey version. */
  get version(): string {
    return this.#version;
  }

  /** Whether the process exists. A paused process counts as running. */
  get running(): boolean {
    return this.#running;
  }

  /** Ends the process, by default with `kill -9`, and waits until it is gone. It does nothing if the server has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const run = this.#run;
    if (!run || !this.#running) return;
    // SIGKILL must also end the children, such as a rewrite of the AOF. With any other signal, the server ends them itself.
    if (signal === 'SIGKILL') signalGroup(run.pid, signal);
    else process.kill(run.pid, signal);
    this.resume();
    await run.ended;
  }

  /**
   * Starts the server again on the same port, in the same folder, with the same arguments. If it still runs, SIGTERM shuts
   * it down first.
   *
   * @throws Error after `stop`, or if the server does not start
   */
  async restart(): Promise<void> {
    if (this.#stopped) throw new Error(`stop() was called for the server on port ${this.port}`);
    await this.shutDown();
    await this.begin();
  }

  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(): void {
    if (!this.#run || !this.#running || this.#paused) return;
    this.#paused = true;
    process.kill(this.#run.pid, 'SIGSTOP');
  }

  /** SIGCONT: ends a `pause`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#run && this.#running) signalGroup(this.#run.pid, 'SIGCONT');
  }

  /** Ends the server, waits until it is gone, and removes its temporary folder. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      // If the folder is removed anyway, an orderly shutdown is not needed.
      await (this.place.temporary ? this.kill() : this.shutDown());
      if (this.place.temporary) await rm(this.dir, { recursive: true, force: true });
    })();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @internal Spawns the process and resolves when this process, and not another server on its port, answers PING. */
  async begin(): Promise<void> {
    const run = await this.spawn();
    let answer = 'no answer yet';
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (this.#running && performance.now() < deadline) {
      try {
        const info = await this.ping(run.end);
        if (info.get('process_id') === String(run.pid)) {
          this.#version = info.get('valkey_version') ?? info.get('redis_version') ?? '';
          return;
        }
        answer = `process ${info.get('process_id') ?? '?'} answers there, not ${run.pid}`;
      } catch (error) {
        answer = error instanceof Error ? error.message : String(error);
      }
      await Promise.race([delay(READY_POLL_MS), run.ended]);
    }
    const died = !this.#running;
    await this.kill();
    await Promise.race([run.drained, delay(500)]);
    const printed = run.lastLines.join('\n');
    if (died && /address already in use/i.test(printed)) {
      throw new PortTakenError(
        `Port ${this.port} was taken before ${this.plan.binary} could bind it:\n${printed}`,
      );
    }
    const what = died ? 'ended during its start' : `was not ready within ${READY_TIMEOUT_MS} ms (${answer})`;
    throw new Error(`${this.plan.binary} on port ${this.port} ${what}. Its last lines:\n${printed}`);
  }

  private ping(signal: AbortSignal): Promise<Map<string, string>> {
    const ask = async (client: Redis): Promise<Map<string, string>> => {
      await client.ping();
      return parseInfo(await client.info('server'));
    };
    return withAdmin({ port: this.port, password: this.plan.password }, ask, signal);
  }

  private async spawn(): Promise<Run> {
    const { binary, command, log } = this.plan;
    // Its own process group, so that a Ctrl-C does not reach the server before this process has shut down.
    const child = spawn(binary, command(this.port, this.dir), {
      cwd: this.dir,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lastLines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lastLines.push(line);
        if (lastLines.length > LINES_KEPT) lastLines.shift();
        log?.(line);
      });
    }
    const drained = new Promise<void>((resolve) =>
      child.once('close', () => {
        resolve();
      }),
    );
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(new Error(`${binary} cannot be run: ${error.message}`, { cause: error }));
      });
    });
    const pid = child.pid;
    if (pid === undefined) throw new Error(`${binary} was spawned without a pid`);

    this.#running = true;
    this.#paused = false;
    const release = dieWithUs(pid, this.place.temporary ? this.dir : undefined);
    const end = new AbortController();
    const ended = new Promise<void>((resolve) =>
      child.once('exit', () => {
        this.#running = false;
        release();
        end.abort();
        resolve();
      }),
    );
    this.#run = { child, pid, lastLines, ended, end: end.signal, drained };
    return this.#run;
  }

  private async shutDown(): Promise<void> {
    if (!this.#running) return;
    const timer = setTimeout(() => {
      void this.kill();
    }, STOP_TIMEOUT_MS);
    await this.kill('SIGTERM');
    clearTimeout(timer);
  }
}

/**
 * Starts a server on the port and in the folder of the plan, or else on a free port in a new temporary folder. If another
 * process takes the free port first, it tries another one.
 *
 * @throws Error if the server does not start; the message has its last lines
 */
export async function launch<T extends ServerProcess>(
  plan: LaunchPlan,
  create: (place: Place) => T,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const server = create({
      port: plan.port ?? (await freePort()),
      dir: plan.dir ?? (await mkdtemp(join(tmpdir(), 'chasqui-'))),
      temporary: plan.dir === undefined,
    });
    try {
      await plan.prepare?.(server.port, server.dir);
      await server.begin();
      return server;
    } catch (error) {
      await server.stop();
      const again = error instanceof PortTakenError && plan.port === undefined && attempt < PORT_ATTEMPTS;
      if (!again) throw error;
    }
  }
}
