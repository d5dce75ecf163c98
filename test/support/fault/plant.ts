import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { scriptsModule } from '../../../scripts/embed-lua.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A file of the package, what to look for in it, and the bug to put there. */
export type Bug = readonly [file: string, pattern: RegExp, replacement: string];

export interface Planted extends Disposable {
  /** URL of the engine's index.js with the bug in it. */
  readonly engine: string;
}

/**
 * A copy of the compiled package with a bug in it.
 *
 * @throws Error where the pattern does not occur any more: a bug that is not there would never be caught
 */
export function plant([file, pattern, replacement]: Bug): Planted {
  const dir = mkdtempSync(join(tmpdir(), 'chasqui-planted-'));
  for (const folder of ['dist', 'lua']) cpSync(join(root, folder), join(dir, folder), { recursive: true });
  cpSync(join(root, 'package.json'), join(dir, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  const path = join(dir, file);
  const source = readFileSync(path, 'utf8');
  const planted = source.replace(pattern, replacement);
  if (planted === source) throw new Error(`${file} has nothing that matches ${String(pattern)}`);
  writeFileSync(path, planted);
  if (file.startsWith('lua/')) {
    const scripts = ts.transpile(scriptsModule(join(dir, 'lua')), { module: ts.ModuleKind.CommonJS });
    writeFileSync(join(dir, 'dist/redis/scripts.generated.js'), scripts);
  }
  return {
    engine: pathToFileURL(join(dir, 'dist/engine/index.js')).href,
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
