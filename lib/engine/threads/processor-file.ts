import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { attempt, isObject, readProperty } from '../base/safe-access.js';
import { messageOf } from '../base/thrown.js';

/** A processor that runs in threads: its file, and what its `onThreadStart` gets. */
export class ProcessorFile {
  constructor(
    readonly file: string,
    readonly data: unknown,
  ) {}
}

/** What a file is compiled to, and from. */
const EXTENSIONS = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'];
const SOURCE: Readonly<Record<string, string>> = { '.js': '.ts', '.cjs': '.cts', '.mjs': '.mts' };

const MODULES = new Set(['.mts', '.cts']);

/**
 * The absolute path of a file that threads load. The extension may be missing. `.js` also finds the `.ts` of it, which a
 * loader such as tsx compiles.
 * @param what the option or argument, for messages
 * @throws ConfigError (CMQ-004)
 */
export function resolveFile(what: string, given: string | URL): string {
  const path = pathOf(what, given);
  if (!isAbsolute(path)) {
    throw new ConfigError(
      `${what} must be an absolute path or a file URL, not "${printable(path)}": use path.join(__dirname, '…') in CommonJS, and new URL('…', import.meta.url) in ES modules.`,
    );
  }
  const extension = extname(path);
  const source = SOURCE[extension];
  const candidates = [
    path,
    ...(source === undefined ? [] : [path.slice(0, -extension.length) + source]),
    ...EXTENSIONS.map((added) => path + added),
  ];
  const found = candidates.find(isFile);
  if (found !== undefined) return found;
  throw new ConfigError(
    `${what}: there is no file "${printable(path)}". A build must write this file too: a bundler needs it as an entry of its own.`,
  );
}

function pathOf(what: string, given: string | URL): string {
  const text = String(given);
  if (!(given instanceof URL) && !text.startsWith('file:')) return text;
  try {
    return fileURLToPath(text);
  } catch (error) {
    throw new ConfigError(`${what} must be a file URL: ${messageOf(error)}`, { cause: error });
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && attempt(() => statSync(path).isFile()) === true;
}

/** What a file exports, whether it is an ES module or CommonJS. */
export async function loadExports(file: string): Promise<Readonly<Record<string, unknown>>> {
  const module = (await importOrRequire(file)) as Record<string, unknown>;
  const { default: main } = module;
  // What TypeScript and others compile to CommonJS.
  if (isObject(main) && readProperty(main, '__esModule') === true) return main as Record<string, unknown>;
  // module.exports of CommonJS, or exports.default.
  if (!isObject(main)) return module;
  const inner = typeof main === 'function' ? undefined : readProperty(main, 'default');
  return { ...module, ...main, default: typeof inner === 'function' ? inner : main };
}

async function importOrRequire(file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    // A loader that hooks `require` only, such as ts-node/register, or tsx in a thread.
    if (readProperty(error, 'code') !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    const load = createRequire(file);
    const extension = extname(file);
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is how such loaders make themselves known
    const known = load.extensions;
    // tsx compiles `.mts` and `.cts` too, and does not say so.
    const isKnown =
      Object.hasOwn(known, extension) || (MODULES.has(extension) && Object.hasOwn(known, '.ts'));
    if (!isKnown) throw noLoader(error);
    try {
      const loaded: unknown = load(file);
      return { default: loaded };
    } catch (failure) {
      // Nobody has compiled it.
      throw failure instanceof SyntaxError ? noLoader(error) : failure;
    }
  }
}

function noLoader(error: unknown): ConfigError {
  return new ConfigError(
    `${messageOf(error)}. Threads have the loaders that the command line of Node.js names: node --import tsx, or node -r ts-node/register. Or compile the file before`,
    { cause: error },
  );
}
