// Completes a build. dist/ is CommonJS, and each entry point gets an ES module next to it that re-exports its names. So
// `import` and `require` in one process return the same classes and tokens.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

export async function writeEntries() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(root, 'dist', 'package.json'), '{ "type": "commonjs" }\n');
  // Ink is an ES module that cannot be required.
  writeFileSync(join(root, 'dist', 'cli', 'watch', 'ui', 'package.json'), '{ "type": "module" }\n');
  for (const entry of Object.values(exports)) if (entry.require) await writeEntry(entry);
  // The compiler does not make it executable.
  for (const program of Object.values(bin)) chmodSync(join(root, program), 0o755);
}

async function writeEntry(entry) {
  const implementation = require(join(root, entry.require.default));
  const names = Object.keys(implementation).sort();
  const from = `'./${basename(entry.require.default)}'`;
  const module = join(root, entry.import.default);
  writeFileSync(module, `export { ${names.join(', ')} } from ${from};\n`);
  writeFileSync(join(root, entry.import.types), `export * from ${from};\n`);
  // Node.js finds the names of a CommonJS module by reading its source. The build fails if it does not find one.
  const imported = await import(pathToFileURL(module).href);
  const strange = names.filter((name) => imported[name] !== implementation[name]);
  if (strange.length > 0) throw new Error(`${module} has another ${strange.join(', ')}.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeEntries();
