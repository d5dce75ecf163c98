// Writes the scripts of lua/ and the version of the package into source files, so that the package reads no files at run
// time, which a bundler would not include. `npm ci` and every command that reads lib/ call this.
//
// A line `-- @include lib/x` of a script stands for lua/lib/x.lua; what is included twice is there once.
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Writes both modules, where they are not there yet or are not what they should be. */
export function embed() {
  write('lib/redis/scripts.generated.ts', scriptsModule(join(root, 'lua')));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  write(
    'lib/engine/base/version.generated.ts',
    `export const PACKAGE_VERSION = ${JSON.stringify(version)};\n`,
  );
}

/** The source of the module that holds all scripts of a folder. */
export function scriptsModule(folder) {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -'.lua'.length))
    .sort();
  if (names.length === 0) throw new Error(`There is no script in ${folder}.`);
  return [
    `import type { ScriptKey } from './keys.js';`,
    '/** One for each file in lua/. */',
    `export type ScriptName = ${names.map((name) => JSON.stringify(name)).join(' | ')};`,
    `export const SOURCES: Record<ScriptName, { keys: readonly ScriptKey[]; lua: string }> = {`,
    ...names.map((name) => `${JSON.stringify(name)}: ${JSON.stringify(script(folder, name))},`),
    '};\n',
  ].join('\n');
}

/** A script's keys, in the order of its header, and its source with its includes. Comments are for readers of lua/. */
function script(folder, name) {
  const text = readFileSync(join(folder, `${name}.lua`), 'utf8');
  const keys = /^-- KEYS (.+)$/m.exec(text)?.[1].trim().split(/\s+/);
  if (!keys) throw new Error(`lua/${name}.lua has no line "-- KEYS ..." in its header.`);
  const lua = resolveIncludes(folder, name, text, new Set()).replace(/^[ \t]*(--.*)?\n/gm, '');
  return { keys, lua: withoutUnusedFunctions(lua) };
}

/** Redis creates each function anew in each call of a script, so those that the script does not use are left out. */
function withoutUnusedFunctions(lua) {
  const kept = lua.replace(/^local function (\w+)\([^]*?^end\n/gm, (text, name) =>
    lua.match(new RegExp(`\\b${name}\\b`, 'g')).length > 1 ? text : '',
  );
  return kept === lua ? lua : withoutUnusedFunctions(kept);
}

function resolveIncludes(folder, name, text, seen) {
  return text.replace(/^-- @include (.*)$/gm, (_line, path) => {
    const part = path.trim();
    if (seen.has(part)) return '';
    seen.add(part);
    let included;
    try {
      included = readFileSync(join(folder, `${part}.lua`), 'utf8');
    } catch (error) {
      throw new Error(`lua/${name}.lua includes ${part}, and there is no lua/${part}.lua.`, { cause: error });
    }
    return resolveIncludes(folder, part, included, seen);
  });
}

/** Others may read the file meanwhile, and a file that stays as it is causes no build. */
function write(path, text) {
  const file = join(root, path);
  let before;
  try {
    before = readFileSync(file, 'utf8');
  } catch {
    // It is not there yet.
  }
  if (before === text) return;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) embed();
