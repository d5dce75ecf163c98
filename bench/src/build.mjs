import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embed } from '../../scripts/embed-lua.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles the package, if what is compiled is older than what is written. */
export function buildIfStale() {
  embed();
  const built = join(ROOT, 'dist', 'engine', 'index.js');
  if (existsSync(built) && newest(join(ROOT, 'lib')) < newest(join(ROOT, 'dist'))) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
}

function newest(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return Math.max(0, ...files.map((one) => statSync(join(one.parentPath, one.name)).mtimeMs));
}
