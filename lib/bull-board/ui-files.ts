import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { ConfigError } from '../engine/index.js';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

/** The hash of its content is in the name of the file. */
const HASHED = /\.[0-9a-f]{8,}\.(css|js)$/;

export interface UiFile {
  readonly bytes: Buffer;
  readonly type: string;
  /** Its content never changes under its name. */
  readonly isForever: boolean;
}

/** The files that the page of Bull Board loads. Only files that are there at the start can be asked for. */
export class UiFiles {
  readonly #paths = new Map<string, string>();

  constructor(folder: string) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      this.#paths.set(
        path
          .slice(folder.length + 1)
          .split(sep)
          .join('/'),
        path,
      );
    }
  }

  async read(name: string): Promise<UiFile | undefined> {
    const path = this.#paths.get(name);
    if (path === undefined) return undefined;
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    const bytes = await readFile(path);
    return {
      bytes: name.endsWith('.js') ? withMoreOptions(bytes) : bytes,
      type,
      isForever: HASHED.test(name),
    };
  }
}

/**
 * The dialogs that add a job check its options by a schema of BullMQ's. What that does not know, such as `group`, would empty the
 * field, and the button would do nothing. The queue checks all options itself.
 */
const CLOSED =
  /("(?:JobsOptions|BackoffOptions|DeduplicationOptions|RepeatOptions)":\{"additionalProperties":)false/g;

function withMoreOptions(bytes: Buffer): Buffer {
  return bytes.includes('"JobsOptions":{')
    ? Buffer.from(bytes.toString().replaceAll(CLOSED, '$1true'))
    : bytes;
}

/** The page loads its font from another host, which would learn who looks at the board. It has fonts to fall back to. */
const FONTS = /<link [^>]*fonts\.googleapis\.com[^>]*>/g;

/**
 * Long words, such as ids without a space, must not make the page wider than its window. Stacks break between words. On a phone, the
 * group and the priority of a job have no room beside its name: they go below it.
 */
const WRAP =
  '<style>body{overflow-wrap:anywhere}.hljs{word-break:normal}' +
  '@media (max-width:768px){[class*=titleWithLink]{flex-wrap:wrap}}</style>';

/** The page of Bull Board, a template with names in `<%= … %>` (escaped) and `<%- … %>` (as it is). */
export class UiPage {
  readonly #template: string;

  /** @throws ConfigError (CMQ-004) for a template of another kind */
  constructor(path: string) {
    this.#template = readFileSync(path, 'utf8').replaceAll(FONTS, '').replace('</head>', `${WRAP}</head>`);
    if (!this.#template.includes('<%- uiConfig %>') || this.render({}).includes('<%')) {
      throw new ConfigError(
        'ChasquiBoardModule: this version of @bull-board/ui is not known. Install version 9.10.',
      );
    }
  }

  render(values: Readonly<Record<string, string>>): string {
    return this.#template.replaceAll(/<%([=-])\s*(\w+)\s*%>/g, (_match, how: string, name: string) => {
      const value = values[name] ?? '';
      return how === '=' ? escaped(value) : value;
    });
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
