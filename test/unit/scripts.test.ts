import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const namesIn = (folder: string, ending: string): string[] =>
  readdirSync(new URL(`../../${folder}`, import.meta.url))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))
    .sort();

test('each Lua script has one typed function file, and each such file has a script', () => {
  expect(namesIn('lib/redis/scripts', '.ts')).toEqual(namesIn('lua', '.lua'));
});
