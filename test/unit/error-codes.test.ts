import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../lib/engine/base/errors.js';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs/error-codes.md'), 'utf8');

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ code: text.slice(0, 7), heading: text.split('\n')[0]!, text }));

/** As Markdown makes an anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

describe('docs/error-codes.md', () => {
  test('describes every code of the engine once, in order, and no other', () => {
    expect(sections.map(({ code }) => code)).toEqual([...Object.values(ERROR_CODES)].sort());
  });

  test.each(sections)('$heading says when, why, what to do and where to read on', ({ text }) => {
    for (const label of ['When', 'Why', 'Fix', 'See']) {
      expect(text).toMatch(new RegExp(`^\\*\\*${label}\\.\\*\\* \\S`, 'm'));
    }
  });

  test('names the class of each code as the source does', () => {
    const files = ['chasqui-error', 'errors', 'operation-errors', 'thread-errors'];
    const source = files
      .map((file) => readFileSync(join(root, `lib/engine/base/${file}.ts`), 'utf8'))
      .join('');
    const keys = Object.fromEntries(Object.entries(ERROR_CODES).map(([key, code]) => [key, code]));
    const classes = [
      ...source.matchAll(/class (\w+) extends \w+[^}]*?readonly code(?:: string)? = ERROR_CODES\.(\w+)/g),
    ];
    expect(classes.length).toBeGreaterThan(30);
    for (const [, name, key] of classes) {
      const label = { ConfigRangeError: 'RangeError', ConfigTypeError: 'TypeError' }[name!] ?? name!;
      const section = sections.find(({ code }) => code === keys[key!])!;
      expect(section.text, section.heading).toContain(`\`${label}\``);
    }
  });

  test('every link leads somewhere', () => {
    const anchors = new Set(sections.map(({ heading }) => anchor(heading)));
    for (const [, target] of page.matchAll(/\]\(([^)]+)\)/g)) {
      if (target!.startsWith('#')) expect(anchors, target).toContain(target!.slice(1));
      else expect(existsSync(join(root, 'docs', target!)), target).toBe(true);
    }
  });
});

test('every code in the source is one that is documented', () => {
  const documented = new Set<string>(sections.map(({ code }) => code));
  const nest = readFileSync(join(root, 'docs/nest-errors.md'), 'utf8');
  for (const [code] of nest.matchAll(/CMQ-\d{3}/g)) documented.add(code);
  const unknown = new Set<string>();
  for (const folder of ['engine', 'nest', 'redis']) {
    for (const file of readdirSync(join(root, 'lib', folder), { recursive: true }) as string[]) {
      if (!file.endsWith('.ts')) continue;
      for (const [code] of readFileSync(join(root, 'lib', folder, file), 'utf8').matchAll(/CMQ-\d{3}/g)) {
        if (!documented.has(code)) unknown.add(`${folder}/${file}: ${code}`);
      }
    }
  }
  expect([...unknown]).toEqual([]);
});
