import { describe, expect, test } from 'vitest';
import { encodeExtras, readExtras } from '../../lib/engine/codec/extras.js';
import type { Extras } from '../../lib/engine/codec/extras.js';
import { encodePayload } from '../../lib/engine/codec/payload.js';

const read = (value: unknown): Extras | undefined => readExtras(encodePayload(value));

describe('encodeExtras', () => {
  test.each<[string, (Extras | undefined)[], Extras | undefined]>([
    ['nothing', [], undefined],
    ['no map', [undefined], undefined],
    ['an empty map', [{}], undefined],
    ['one map', [{ ttlMs: 5 }], { ttlMs: 5 }],
    ['two maps', [{ rpc: { reply: true } }, { timeoutMs: 7 }], { rpc: { reply: true }, timeoutMs: 7 }],
    ['a field twice: the later counts', [{ ttlMs: 5 }, { ttlMs: 6 }], { ttlMs: 6 }],
    [
      'times above 2^31 and 2^32',
      [{ timeoutMs: 2 ** 31, ttlMs: 2 ** 40 }],
      { timeoutMs: 2 ** 31, ttlMs: 2 ** 40 },
    ],
    ['no limit', [{ timeoutMs: Infinity }], { timeoutMs: Infinity }],
  ])('of %s', (_, maps, expected) => {
    const bytes = encodeExtras(...maps);
    expect(bytes && readExtras(bytes)).toEqual(expected);
  });
});

describe('readExtras', () => {
  test.each<[string, string]>([
    ['no bytes', ''],
    ['a number', '07'],
    ['nil', 'c0'],
    ['an array', '91a161'],
    ['text', 'a161'],
    ['a cut map', '82a574746c4d7305'],
    ['a map with bytes behind it', '80c0'],
    ['a length bomb', 'dfffffffff'],
    ['a reserved byte', 'c1'],
    ['an extension', 'd40000'],
    ['a time', 'd6ff00000000'],
  ])('ignores %s', (_, hex) => {
    expect(readExtras(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['timeoutMs', 0],
    ['timeoutMs', -1],
    ['timeoutMs', NaN],
    ['timeoutMs', '5'],
    ['timeoutMs', null],
    ['timeoutMs', {}],
    ['ttlMs', -Infinity],
    ['ttlMs', true],
    ['ttlMs', 2n ** 63n],
    ['expired', 'explode'],
    ['expired', 1],
    ['rpc', 'text'],
    ['rpc', [1]],
    ['keep', null],
    ['keep', new Date(0)],
  ])('ignores %s = %s, and reads the rest', (field, value) => {
    const rest = field === 'ttlMs' ? { timeoutMs: 9 } : { ttlMs: 9 };
    expect(read({ [field]: value, ...rest })).toEqual(rest);
  });

  test('keeps fields that it does not know', () => {
    expect(read({ later: [1, { a: 2 }], ttlMs: 3 })).toEqual({ later: [1, { a: 2 }], ttlMs: 3 });
  });

  test('takes no harm from the names of prototypes', () => {
    const extras = read({ constructor: 1, toString: 2, hasOwnProperty: 3, ttlMs: 4 });
    expect(extras?.ttlMs).toBe(4);
    const proto = readExtras(Buffer.from('82a95f5f70726f746f5f5f81a574746c4d7301a574746c4d7302', 'hex'));
    expect(proto?.ttlMs).toBe(2);
    expect(Object.getPrototypeOf(proto)).toBe(Object.prototype);
  });
});
