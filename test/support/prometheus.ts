import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dieWithUs } from '../../lib/testing/server/die-with-us.js';
import { freePort } from '../../lib/testing/server/free-port.js';
import { findProgram } from '../../lib/testing/server/programs.js';

const run = promisify(execFile);

/** Where Debian's package is unpacked if Prometheus is not installed. */
const UNPACKED = fileURLToPath(
  new URL('../../node_modules/.cache/nestjs-chasqui/prometheus', import.meta.url),
);

export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

/**
 * Finds Prometheus and its tool: in PATH, or in Debian's package, which this unpacks into the cache. It does not install the
 * package, because an installation starts a service that listens on all interfaces.
 * @throws Error if they are not there, and apt-get cannot get them
 */
export async function resolvePrometheus(): Promise<PrometheusPrograms> {
  const installed = find([]);
  if (installed) return installed;
  if (!existsSync(UNPACKED)) await unpackDebianPackage();
  const unpacked = find([join(UNPACKED, 'usr', 'bin')]);
  if (unpacked) return unpacked;
  throw new Error(`The package prometheus has no prometheus or promtool: look into ${UNPACKED}`);
}

function find(folders: readonly string[]): PrometheusPrograms | undefined {
  const path = folders.length > 0 ? { PATH: folders.join(':') } : process.env;
  const prometheus = findProgram(['prometheus'], path);
  const promtool = findProgram(['promtool'], path);
  return prometheus !== undefined && promtool !== undefined ? { prometheus, promtool } : undefined;
}

async function unpackDebianPackage(): Promise<void> {
  if (findProgram(['apt-get']) === undefined) {
    throw new Error('prometheus and promtool are not in PATH: install Prometheus with your package manager.');
  }
  await mkdir(dirname(UNPACKED), { recursive: true });
  const dir = await mkdtemp(`${UNPACKED}-`);
  try {
    const download = () => run('apt-get', ['download', 'prometheus'], { cwd: dir });
    // The list of packages may be missing or old.
    await download().catch(async () => {
      await refreshPackageList();
      await download();
    });
    const [archive = ''] = await readdir(dir);
    await run('dpkg-deb', ['-x', archive, 'content'], { cwd: dir });
    await rename(join(dir, 'content'), UNPACKED).catch((error: unknown) => {
      // Another test file was faster.
      if (!existsSync(UNPACKED)) throw error;
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function refreshPackageList(): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  await (isRoot ? run('apt-get', ['update']) : run('sudo', ['-n', 'apt-get', 'update']));
}

/** Runs promtool in a folder. Resolves with what it printed, also if it found faults. */
export async function promtool(
  cwd: string,
  ...args: readonly string[]
): Promise<{ ok: boolean; text: string }> {
  const programs = await resolvePrometheus();
  try {
    const { stdout, stderr } = await run(programs.promtool, [...args], { cwd });
    return { ok: true, text: stdout + stderr };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return { ok: false, text: `${stdout}${stderr}` || String(error) };
  }
}

/** One sample of an instant query. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus of the test's own, on loopback. */
export class Prometheus implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly exited: Promise<unknown>,
    private readonly dir: string,
    private readonly release: () => void,
  ) {}

  /** @param config the content of `prometheus.yml` */
  static async start(config: string, files: Readonly<Record<string, string>> = {}): Promise<Prometheus> {
    const { prometheus } = await resolvePrometheus();
    const dir = await mkdtemp(join(tmpdir(), 'chasqui-prometheus-'));
    for (const [name, text] of Object.entries({ ...files, 'prometheus.yml': config })) {
      await writeFile(join(dir, name), text);
    }
    const port = await freePort();
    const child = spawn(
      prometheus,
      [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${String(port)}`,
        '--log.level=warn',
      ],
      { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let printed = '';
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const exited = once(child, 'exit');
    const release = dieWithUs(child.pid ?? 0, dir);
    const server = new Prometheus(`http://127.0.0.1:${String(port)}`, child, exited, dir, release);
    while (!(await server.isReady())) {
      if (child.exitCode !== null) {
        await server.stop();
        throw new Error(`Prometheus does not start:\n${printed}`);
      }
      await delay(50);
    }
    return server;
  }

  /**
   * Evaluates an expression at this instant.
   * @throws Error with the message of Prometheus if it cannot
   */
  async query(expression: string): Promise<readonly Sample[]> {
    const body = new URLSearchParams({ query: expression });
    const response = await fetch(`${this.url}/api/v1/query`, { method: 'POST', body });
    const answer = (await response.json()) as {
      error?: string;
      data?: { resultType: string; result: unknown };
    };
    if (answer.error !== undefined || !answer.data) throw new Error(`${expression}: ${answer.error ?? '?'}`);
    const { resultType, result } = answer.data;
    if (resultType === 'scalar') return [{ labels: {}, value: Number((result as [number, string])[1]) }];
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map((sample) => ({
      labels: sample.metric,
      value: Number(sample.value[1]),
    }));
  }

  /** The value of an expression that has one sample; undefined if it has none. */
  async value(expression: string): Promise<number | undefined> {
    const samples = await this.query(expression);
    if (samples.length > 1) throw new Error(`${expression} has ${String(samples.length)} samples`);
    return samples[0]?.value;
  }

  /** What `GET /api/v1/<path>` answers, such as `targets` or `rules`. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    return ((await response.json()) as { data: unknown }).data;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exited;
    this.release();
    await rm(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`)).ok;
    } catch {
      return false;
    }
  }
}
