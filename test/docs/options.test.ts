import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { optionsPage } from '../../scripts/options-page.mjs';

const { page, undocumented } = await optionsPage();

it('docs/options.md matches the doc comments: `node scripts/options-page.mjs` writes it', () => {
  expect(readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8')).toBe(page);
});

it('every option states its default', () => {
  expect(undocumented).toEqual([]);
});
