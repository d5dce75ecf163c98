import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embed } from './embed-lua.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));

// Goes with node_modules: another compiler builds anew.
const stamps = join(root, 'node_modules', '.cache', 'nestjs-chasqui');

/** Compiles the package to dist/, unless that is newer than all it is made from. */
export function buildPackage() {
  embed();
  build({
    name: 'package',
    sources: ['lib', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'scripts/entries.mjs'],
    output: 'dist',
    commands: [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], ['scripts/entries.mjs']],
  });
}

/** Compiles the samples to dist-sample/, as an app's `nest build` does, against the package in dist/. */
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

/** The last change in a file or folder, in ms; a folder changes when something in it is added or removed. */
function newestChange(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}
