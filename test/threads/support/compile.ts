import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const fixtures = join(root, 'test/threads/fixtures');
/** Not in a temporary folder: Nest and other packages are found from here. Git ignores it. */
const output = join(root, 'test/threads/dist');

const HERE = {
  cjs: "require('node:path').join(__dirname, 'images.module')",
  esm: "new URL('./images.module.js', import.meta.url)",
};

/**
 * Compiles an app as its users do, against the package in dist/.
 * @returns the folder of the compiled files
 */
export function compile(app: string, format: 'cjs' | 'esm'): string {
  const folder = join(output, `${app}-${format}-${String(process.pid)}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'nestjs-chasqui'), 'dir');
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: format === 'cjs' ? 'commonjs' : 'module' }),
  );
  for (const file of readdirSync(join(fixtures, app))) {
    const source = readFileSync(join(fixtures, app, file), 'utf8').replace("'__HERE__'", HERE[format]);
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: format === 'cjs' ? ts.ModuleKind.CommonJS : ts.ModuleKind.ES2022,
        experimentalDecorators: true,
      },
    });
    writeFileSync(join(folder, file.replace('.ts', '.js')), outputText);
  }
  return folder;
}

/** Deletes what {@link compile} has written. */
export function clean(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
