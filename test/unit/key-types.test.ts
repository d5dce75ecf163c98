import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KEY_TYPES } from '../../lib/engine/admin/doctor/key-types.js';

const page = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
const table = page.split('## Keys added to the wire format')[1]?.split('\n\n')[1] ?? '';
const documented = [...table.matchAll(/^\| `…:([^`]+)` +\| (\w+)/gm)].map(
  ([, name = '', type = '']) => [name, type] as const,
);

test('doctor checks the type of each key that a queue has once', () => {
  const once = documented.filter(([name]) => !name.includes('<'));
  expect(once.length).toBeGreaterThan(20);
  expect(once.filter(([name, type]) => KEY_TYPES[name] !== type)).toEqual([]);
});
