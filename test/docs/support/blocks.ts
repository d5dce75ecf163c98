import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);

/** A block of TypeScript that a page shows. */
export interface Block {
  /** `docs/nest.md`. */
  readonly page: string;
  /** The heading it stands under, without the hashes. */
  readonly heading: string;
  /** Which block under that heading, from 1. */
  readonly nth: number;
  /** The line of its fence, from 1. */
  readonly line: number;
  /** `docs/nest.md:27`, for messages. */
  readonly place: string;
  readonly code: string;
}

/** README.md and the pages of docs/. */
export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(fileURLToPath(new URL('docs', root)))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export function textOf(page: string): string {
  return readFileSync(fileURLToPath(new URL(page, root)), 'utf8');
}

/** What a page shows in blocks of one language, in its order. */
export function blocksOf(page: string, language = 'ts'): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let fence: { language: string; line: number; code: string[] } | undefined;
  for (const [index, line] of textOf(page).split('\n').entries()) {
    if (fence) {
      if (line !== '```') fence.code.push(line);
      else {
        if (fence.language === language) {
          const nth = 1 + blocks.filter((block) => block.heading === heading).length;
          const place = `${page}:${String(fence.line)}`;
          blocks.push({ page, heading, nth, line: fence.line, place, code: `${fence.code.join('\n')}\n` });
        }
        fence = undefined;
      }
    } else if (line.startsWith('```')) {
      fence = { language: line.slice(3).trim(), line: index + 1, code: [] };
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, '');
    }
  }
  return blocks;
}
