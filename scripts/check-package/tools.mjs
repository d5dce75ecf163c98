import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const RUN_TIMEOUT_MS = 180_000;

/** The folder for everything that the check installs and builds. It is removed when this process ends. */
export const work = mkdtempSync(join(tmpdir(), 'chasqui-package-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

/** Runs one check, and prints its name and duration. A failure ends the process. */
export function check(name, run) {
  const begun = performance.now();
  const result = run();
  console.log(`ok ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  return result;
}

export function fail(name, why) {
  console.error(`FAILED ${name}: ${why}`);
  process.exit(1);
}

export function folder(name) {
  const dir = join(work, name);
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** Runs a program and returns its output. The check fails if the program fails or does not end. */
export function run(program, args, cwd, env = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  const how =
    error?.code === 'ETIMEDOUT' ? `did not end in ${RUN_TIMEOUT_MS} ms` : `ended with ${signal ?? status}`;
  fail([program, ...args].join(' '), `${how}:\n${error ?? ''}\n${stdout}\n${stderr}`);
}

export function npm(dir, args, env) {
  return run('npm', args, dir, env);
}

export function node(dir, args, env) {
  return run(process.execPath, args, dir, env);
}

export function install(dir, ...args) {
  npm(dir, ['install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', ...args]);
}
