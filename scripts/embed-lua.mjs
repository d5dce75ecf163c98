// Writes the scripts of lua/ and the version of the package into source files, so that the package reads no files at run
// time, which a bundler would not include. Every command that reads lib/ calls this.
//
// A line `-- @include lib/x` of a script stands for lua/lib/x.lua; what is included twice is there once. A line `-- @seldom lib/x`
// stands for it too, but its functions are made when the script calls one of them: Redis makes all others anew in each call.
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
  const parts = new Parts(folder);
  const often = parts.resolve(
    name,
    text.replace(/^(-- @(?:include|seldom) .*\n)(?![^]*^-- @)/m, `$1${SELDOM}`),
  );
  const [used, seldom] = withoutUnusedFunctions(`${often}${SPLIT}${parts.seldom()}`).split(SPLIT);
  return { keys, lua: withSeldom(name, used, seldom) };
}

/** Where the functions are made that are called seldom: behind the last include of a script. */
const SELDOM = '@seldom@\n';
const SPLIT = '@split@\n';
const FUNCTION = /^local function (\w+)\([^]*?^end\n/gm;

/** Redis creates each function anew in each call of a script, so those that the script does not use are left out. */
function withoutUnusedFunctions(lua) {
  const kept = lua.replace(FUNCTION, (text, name) =>
    lua.match(new RegExp(`\\b${name}\\b`, 'g')).length > 1 ? text : '',
  );
  return kept === lua ? lua : withoutUnusedFunctions(kept);
}

/** A script whose functions in `seldom` are made at the first call of one of them. */
function withSeldom(script, lua, seldom) {
  const names = [...seldom.matchAll(/^local (function )?(\w+(?:, \w+)*)/gm)].flatMap(([, isFunction, list]) =>
    list.split(', ').map((name) => ({ name, isFunction: isFunction !== undefined })),
  );
  const called = names.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(lua));
  for (const { name, isFunction } of called) {
    const isHidden = new RegExp(
      `\\blocal [^\\n=]*\\b${name}\\b|\\bfunction [^\\n(]*\\([^\\n)]*\\b${name}\\b`,
    ).test(lua);
    if (!isFunction || isHidden)
      throw new Error(`lua/${script}.lua uses ${name} of a part that it calls seldom.`);
  }
  if (called.length === 0) return lua.replace(SELDOM, '');
  const made = called.map(({ name }) => `${name} = ${name}`).join(', ');
  const region = `local made\nseldom = function()\nif not made then\n${seldom}made = { ${made} }\nend\nreturn made\nend\n`;
  const calls = called.reduce(
    (text, { name }) => text.replace(new RegExp(`(?<![\\w.'"])${name}\\b`, 'g'), `seldom().${name}`),
    lua,
  );
  return `local seldom\n${calls.replace(SELDOM, () => region)}`;
}

/** The parts of a script, each of which is there once. */
class Parts {
  #folder;
  #seen = new Set();
  #seldom = [];

  constructor(folder) {
    this.#folder = folder;
  }

  /** The text without comments, with what it includes. */
  resolve(name, text) {
    const lua = text.replace(/^-- @(include|seldom) (.*)$/gm, (_line, how, path) => {
      if (how === 'include') return this.#include(name, path.trim());
      this.#seldom.push([name, path.trim()]);
      return '';
    });
    return lua.replace(/^[ \t]*(--.*)?\n/gm, '');
  }

  /** What is called seldom, and is not included anyway. */
  seldom() {
    let lua = '';
    for (const [name, path] of this.#seldom) lua += this.#include(name, path);
    return lua;
  }

  #include(name, path) {
    if (this.#seen.has(path)) return '';
    this.#seen.add(path);
    let text;
    try {
      text = readFileSync(join(this.#folder, `${path}.lua`), 'utf8');
    } catch (error) {
      throw new Error(`lua/${name}.lua includes ${path}, and there is no lua/${path}.lua.`, { cause: error });
    }
    return this.resolve(path, text);
  }
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
