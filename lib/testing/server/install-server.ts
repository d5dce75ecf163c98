import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { findProgram } from './programs.js';

const run = promisify(execFile);
const OUTPUT_LIMIT = 64 * 1024 * 1024;
const LINES_SHOWN = 5;

interface PackageManager {
  readonly program: string;
  /** Tried in this order. A distribution has at least one of them. */
  readonly packages: readonly [string, ...string[]];
  readonly install: readonly string[];
  /** Runs after a failed installation, before another try: the list of packages may be missing or old. */
  readonly refresh?: readonly string[];
  /** True if it needs no root, and refuses to run as root. */
  readonly asUser?: boolean;
}

const MANAGERS: readonly PackageManager[] = [
  {
    program: 'apt-get',
    packages: ['redis-server', 'valkey-server'],
    install: ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends'],
    refresh: ['update'],
  },
  { program: 'dnf', packages: ['valkey', 'redis'], install: ['install', '-y'] },
  { program: 'yum', packages: ['redis'], install: ['install', '-y'] },
  { program: 'apk', packages: ['redis', 'valkey'], install: ['add', '--no-cache'] },
  { program: 'pacman', packages: ['valkey', 'redis'], install: ['-S', '--noconfirm'], refresh: ['-Sy'] },
  { program: 'zypper', packages: ['redis', 'valkey'], install: ['--non-interactive', 'install'] },
  { program: 'brew', packages: ['redis'], install: ['install'], asUser: true },
];

/** The services of the packages above. An installation may start one of them. */
const SERVICES = ['redis-server', 'redis', 'valkey-server', 'valkey'];

const UNATTENDED = {
  DEBIAN_FRONTEND: 'noninteractive',
  // In the single-user runlevel, a Debian package does not start its service.
  RUNLEVEL: '1',
  HOMEBREW_NO_AUTO_UPDATE: '1',
};

/** The command that installs a server on this machine. */
export function installCommand(): string {
  const manager = findManager();
  if (!manager) return 'your package manager (the package is called redis-server, redis or valkey)';
  const [name] = manager.packages;
  const refresh = manager.refresh
    ? `${sudoWord(manager)}${manager.program} ${manager.refresh.join(' ')} && `
    : '';
  const words = manager.program === 'apt-get' ? 'install -y' : manager.install.join(' ');
  return `${refresh}${sudoWord(manager)}${manager.program} ${words} ${name}`;
}

/**
 * Installs a server with the platform's package manager. It stops a service that the installation started, and leaves a
 * service that ran before.
 *
 * @param log gets each command before it runs
 * @throws Error with the command for the user if this process may not install, or with the last lines of the manager
 */
export async function installServer(log: (line: string) => void): Promise<void> {
  const manager = findManager();
  const forTheUser = `Install a server yourself with\n  ${installCommand()}`;
  if (!manager) throw new Error(`No known package manager is in PATH. ${forTheUser}`);
  const prefix = await privilege(manager);
  if (!prefix) {
    const why = manager.asUser === true ? 'does not run as root' : 'needs root, and sudo asks for a password';
    throw new Error(`${manager.program} ${why}. ${forTheUser}`);
  }

  log('No redis-server or valkey-server in PATH: installing one.');
  const ranBefore = await runningServices();
  const { packages, refresh } = manager;
  const failures: unknown[] = [];
  const succeeds = async (...words: readonly string[]): Promise<boolean> => {
    try {
      await command([...prefix, manager.program, ...words], log);
      return true;
    } catch (error) {
      failures.push(error);
      return false;
    }
  };
  const installs = (name: string): Promise<boolean> => succeeds(...manager.install, name);

  // If the list of packages is up to date, the first command is enough.
  let done = await installs(packages[0]);
  if (!done && refresh && (await succeeds(...refresh))) done = await installs(packages[0]);
  for (const name of packages.slice(1)) done ||= await installs(name);
  if (done) return stopNewServices(prefix, ranBefore, log);
  const told = failures.map(lastLines).join('\n');
  throw new Error(`${manager.program} could not install a server. ${forTheUser}\n${told}`);
}

function findManager(): PackageManager | undefined {
  return MANAGERS.find(({ program }) => findProgram([program]) !== undefined);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The words before a command that give it the right to install; undefined if there are none. */
async function privilege(manager: PackageManager): Promise<readonly string[] | undefined> {
  if (manager.asUser === true) return isRoot() ? undefined : [];
  if (isRoot()) return [];
  if (findProgram(['sudo']) === undefined) return undefined;
  try {
    await run('sudo', ['-n', 'true']);
    // sudo clears the environment.
    return ['sudo', '-n', 'env', ...Object.entries(UNATTENDED).map(([name, value]) => `${name}=${value}`)];
  } catch {
    return undefined;
  }
}

function sudoWord(manager: PackageManager): string {
  return manager.asUser === true || isRoot() ? '' : 'sudo ';
}

async function runningServices(): Promise<readonly string[]> {
  const running: string[] = [];
  for (const name of SERVICES) {
    if (await isRunning(name)) running.push(name);
  }
  return running;
}

async function isRunning(service: string): Promise<boolean> {
  try {
    if (underSystemd()) await run('systemctl', ['is-active', '--quiet', service]);
    else await run('service', [service, 'status']);
    return true;
  } catch {
    return false;
  }
}

async function stopNewServices(
  prefix: readonly string[],
  ranBefore: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  for (const name of await runningServices()) {
    // `redis` may be another name of `redis-server`, so stopping one of them stops both.
    if (ranBefore.includes(name) || !(await isRunning(name))) continue;
    const words = underSystemd() ? ['systemctl', 'stop', name] : ['service', name, 'stop'];
    await command([...prefix, ...words], log);
  }
}

function underSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

async function command(words: readonly string[], log: (line: string) => void): Promise<void> {
  log(`$ ${words.join(' ')}`);
  const [program = '', ...args] = words;
  await run(program, args, { env: { ...process.env, ...UNATTENDED }, maxBuffer: OUTPUT_LIMIT });
}

function lastLines(error: unknown): string {
  const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
  const lines = `${stdout}\n${stderr}`.trim();
  return lines === '' ? String(error) : lines.split('\n').slice(-LINES_SHOWN).join('\n');
}
