import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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
 * Compiles an app of fixtures/ as its users do, against the package in dist/.
 * @returns the folder of the compiled files
 */
export function compile(app: string, format: 'cjs' | 'esm'): string {
  const sources = readdirSync(join(fixtures, app)).map((file) => {
    const source = readFileSync(join(fixtures, app, file), 'utf8');
    return [file, source.replace("'__HERE__'", HERE[format])] as const;
  });
  return compileFiles(app, format, Object.fromEntries(sources));
}

/** @param files sources in TypeScript, by name */
export function compileFiles(
  app: string,
  format: 'cjs' | 'esm',
  files: Readonly<Record<string, string>>,
): string {
  mkdirSync(output, { recursive: true });
  const folder = mkdtempSync(join(output, `${app}-${format}-`));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'nestjs-chasqui'), 'dir');
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: format === 'cjs' ? 'commonjs' : 'module' }),
  );
  for (const [file, source] of Object.entries(files)) {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: format === 'cjs' ? ts.ModuleKind.CommonJS : ts.ModuleKind.ES2022,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
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
