import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MICROSERVICE_ERROR_CODES } from '../../lib/microservices/index.js';
import { NEST_ERROR_CODES } from '../../lib/index.js';

it('every code is documented in docs/microservices.md, and is used for nothing else', () => {
  const page = readFileSync(new URL('../../docs/microservices.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split(/^## Errors$/m);
  const documented = [...section.matchAll(/^\| `(CMQ-\d{3})`/gm)].map(([, code]) => code);
  expect(documented).toEqual(Object.values(MICROSERVICE_ERROR_CODES));
  const nest: readonly string[] = Object.values(NEST_ERROR_CODES);
  expect(nest.filter((code) => documented.includes(code))).toEqual([]);
});
