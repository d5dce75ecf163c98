import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vitest/config';
import { blocksOf } from './blocks.js';

/** Where a block seems to stand, so that it is compiled with the options of this folder. */
const folder = fileURLToPath(new URL('../blocks/', import.meta.url));

/** The module of a block, with its address of Redis made that of a server of the tests. Each copy is a new module. */
export function blockModule(page: string, line: number, redisPort: number, copy: number): string {
  return `${folder}${page}/${String(line)}.ts?port=${String(redisPort)}&copy=${String(copy)}`;
}

/**
 * Makes the blocks of the pages modules, read from the Markdown each time: what runs is what is printed, with one
 * exception. The pages say where Redis usually is, `127.0.0.1:6379` (or a host in `.internal`); the tests must neither
 * need nor touch what is there, so these addresses become the one of the test's own server.
 */
export function blockModules(): Plugin {
  return {
    name: 'docs-blocks',
    enforce: 'pre',
    resolveId: (id) => (id.startsWith(folder) ? id : undefined),
    load(id) {
      if (!id.startsWith(folder)) return undefined;
      const match = /^(.+)\/(\d+)\.ts\?port=(\d+)/.exec(id.slice(folder.length));
      const [, page = '', line, port = ''] = match ?? [];
      const block = blocksOf(page).find((candidate) => String(candidate.line) === line);
      if (!block) throw new Error(`There is no block at ${page}:${String(line)}`);
      // As many lines before it as in the page: a stack trace then names the line of the page.
      return '\n'.repeat(block.line) + redirect(block.code, port, block.place);
    },
  };
}

function redirect(code: string, port: string, place: string): string {
  const redirected = code
    .replaceAll("host: '127.0.0.1', port: 6379", `host: '127.0.0.1', port: ${port}`)
    .replaceAll(/redis:\/\/(127\.0\.0\.1|[\w-]+\.internal):6379/g, `redis://127.0.0.1:${port}`);
  if (/\b6379\b|\bredis:\/\/(?!127\.0\.0\.1:)/.test(redirected))
    throw new Error(`${place} has an address of Redis in a form that the tests do not redirect`);
  return redirected;
}
