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
  for (const fence of fencesOf(page)) {
    if (fence.language !== language) continue;
    const { heading, line, code } = fence;
    const nth = 1 + blocks.filter((block) => block.heading === heading).length;
    blocks.push({ page, heading, nth, line, place: `${page}:${String(line)}`, code });
  }
  return blocks;
}

/** The languages of all the blocks of a page, with their places. */
export function languagesOf(page: string): { readonly place: string; readonly language: string }[] {
  return fencesOf(page).map(({ line, language }) => ({ place: `${page}:${String(line)}`, language }));
}

interface Fence {
  readonly heading: string;
  readonly language: string;
  readonly line: number;
  code: string;
}

function fencesOf(page: string): Fence[] {
  const fences: Fence[] = [];
  let heading = '';
  let open: Fence | undefined;
  for (const [index, line] of textOf(page).split('\n').entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (open) {
      if (fence) open = undefined;
      else open.code += `${line}\n`;
    } else if (fence) {
      open = { heading, language: (fence[1] ?? '').trim(), line: index + 1, code: '' };
      fences.push(open);
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, '');
    }
  }
  return fences;
}
