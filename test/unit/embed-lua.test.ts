import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { scriptsModule } from '../../scripts/embed-lua.mjs';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** The source of the script `main`, made of these files. */
function embedded(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'embed-'));
  folders.push(folder);
  mkdirSync(join(folder, 'lib'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.lua`), text);
  const [, module = ''] = /^"main": (.*),$/m.exec(scriptsModule(folder)) ?? [];
  return (JSON.parse(module) as { lua: string }).lua;
}

const MAIN = '-- Says hello.\n-- KEYS stream\n';
const HELLO = 'local function hello()\n  return 1\nend\nlocal function never()\n  return 2\nend\n';

it('includes a part once, and leaves out what is not called', () => {
  const lua = embedded({
    main: `${MAIN}-- @include lib/hello\n-- @include lib/again\nreturn hello() + again()\n`,
    'lib/hello': HELLO,
    'lib/again': '-- @include lib/hello\nlocal function again()\n  return hello()\nend\n',
  });
  expect(lua.match(/local function hello/g)).toHaveLength(1);
  expect(lua).not.toMatch(/never|seldom|@/);
});

it('makes the functions of a part that is called seldom at the first call of one of them', () => {
  const lua = embedded({
    main: `${MAIN}-- @seldom lib/hello\nif KEYS[2] then\n  return hello()\nend\n`,
    'lib/hello': HELLO,
  });
  expect(lua).toBe(
    'local seldom\n' +
      'local made\nseldom = function()\nif not made then\nlocal function hello()\n  return 1\nend\n' +
      'made = { hello = hello }\nend\nreturn made\nend\n' +
      'if KEYS[2] then\n  return seldom().hello()\nend\n',
  );
});

it('makes a part at once that is also included', () => {
  const lua = embedded({
    main: `${MAIN}-- @seldom lib/hello\n-- @include lib/again\nreturn hello() + again()\n`,
    'lib/hello': HELLO,
    'lib/again': '-- @include lib/hello\nlocal function again()\n  return hello()\nend\n',
  });
  expect(lua).toMatch(/return hello\(\) \+ again\(\)/);
  expect(lua).not.toContain('seldom');
});

it.each([
  ['a constant', 'local MOST = 1\n', 'return MOST'],
  ['a function that another one hides', HELLO, 'local hello = 1\nreturn hello'],
])('refuses a script that uses %s of a part that is called seldom', (_what, part, use) => {
  expect(() => embedded({ main: `${MAIN}-- @seldom lib/part\n${use}\n`, 'lib/part': part })).toThrow(
    /lua\/main\.lua uses \w+ of a part that it calls seldom/,
  );
});

it('names a part that does not exist', () => {
  expect(() => embedded({ main: `${MAIN}-- @seldom lib/nothing\nreturn 1\n` })).toThrow(
    'lua/main.lua includes lib/nothing, and there is no lua/lib/nothing.lua.',
  );
});
