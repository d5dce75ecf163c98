import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embed } from './embed-lua.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));

// In node_modules, so that a new compiler starts a new build.
const stamps = join(root, 'node_modules', '.cache', 'nestjs-chasqui');

/** Compiles the package to dist/, unless dist/ is newer than all sources. */
export function buildPackage() {
  embed();
  build({
    name: 'package',
    sources: ['lib', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'scripts/entries.mjs'],
    output: 'dist',
    commands: [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], ['scripts/entries.mjs']],
  });
}

/** Compiles the samples to dist-sample/ against the package in dist/, as `nest build` of an app does. */
export function buildSamples() {
  build({
    name: 'samples',
    sources: ['sample', 'nest-cli.json', 'dist'],
    output: 'dist-sample',
    commands: [['node_modules/@nestjs/cli/bin/nest.js', 'build']],
  });
}

function build({ name, sources, output, commands }) {
  const stamp = join(stamps, name);
  const newest = Math.max(...sources.map((source) => newestChange(join(root, source))));
  if (existsSync(join(root, output)) && existsSync(stamp) && statSync(stamp).mtimeMs > newest) return;
  const begun = new Date();
  console.log(`Building the ${name} ...`);
  for (const command of commands) {
    const { status } = spawnSync(process.execPath, command, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0) {
      console.error(`Building the ${name} failed.`);
      process.exit(status ?? 1);
    }
  }
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, '');
  // A source that changed while the compiler ran counts as newer.
  utimesSync(stamp, begun, begun);
}

/** The time of the last change in a file or folder, in ms. A folder changes when a file is added or removed. */
function newestChange(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}
