import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { EncodeError } from '../../lib/engine/base/errors.js';
import {
  decodePayload,
  decodeReturnValue,
  encodePayload,
  encodeResult,
} from '../../lib/engine/codec/payload.js';

const page = readFileSync(new URL('../../docs/payloads.md', import.meta.url), 'utf8');
/** The rows of its table: what is sent, and what arrives. */
const rows = [...page.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)]
  .map(([, sent = '', arrives = '']) => [sent.trim(), arrives.trim()] as const)
  .filter(([sent]) => sent !== 'what you send' && !/^-+$/.test(sent));

const REFUSED = Symbol('refused');

class Dto {
  readonly to = 'ada';
  readonly #secret = 1;
  get shout(): string {
    return this.to.toUpperCase() + String(this.#secret);
  }
}
class Tagged {
  readonly a = 1;
  toJSON(): unknown {
    return { at: new Date(5), self: this.a };
  }
}
class ListOnly extends Array<number> {}
class HttpError extends Error {
  readonly status = 429;
}
const cyclic: Record<string, unknown> = { a: {} };
(cyclic.a as Record<string, unknown>).b = [cyclic];
const hidden = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'b', { value: 3, enumerable: false });
const holes: unknown[] = [1];
holes[3] = 4;
let deep: unknown = 1;
for (let i = 0; i < 101; i++) deep = { deep };
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const elsewhere = createContext({});
const foreign = (code: string): unknown => runInContext(code, elsewhere);

/** Samples for each row, and what becomes of each; samples that stand alone arrive as they are. */
const samples: Record<string, [sent: unknown, arrives?: unknown][]> = {
  '`null`, booleans, strings': [
    [null],
    [true],
    [false],
    [''],
    ['ñ'.repeat(40)],
    ['x'.repeat(70_000)],
    ['𝄞'.repeat(11)],
  ],
  'numbers, including `NaN`, `Infinity` and `-0`': [
    [NaN],
    [Infinity],
    [-Infinity],
    [-0],
    [0],
    [1.5],
    [-1],
    [-33],
    [-129],
    [-32_769],
    [-(2 ** 31) - 1],
    [2 ** 31],
    [2 ** 32 - 1],
    [2 ** 32],
    [Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER],
    [2 ** 60],
    [-(2 ** 63)],
    [1e300],
    [5e-324],
    [1_732_630_000_123],
    [255],
    [256],
    [65_535],
    [65_536],
  ],
  'bigints of 64 bits': [
    [2n ** 63n],
    [-(2n ** 63n)],
    [2n ** 53n + 1n],
    [-(2n ** 53n) - 1n],
    [2n ** 53n, 2 ** 53],
    [2n ** 64n - 1n],
    [5n, 5],
    [-5n, -5],
  ],
  'larger bigints': [
    [2n ** 64n, REFUSED],
    [-(2n ** 63n) - 1n, REFUSED],
  ],
  '`undefined` as data or in an array, holes in arrays': [
    [undefined, null],
    [
      [undefined, 1],
      [null, 1],
    ],
    [holes, [1, null, null, 4]],
  ],
  'a key whose value is `undefined`': [
    [{ limit: undefined }, {}],
    [
      { a: 1, b: undefined, c: { d: undefined } },
      { a: 1, c: {} },
    ],
    [
      Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${String(i)}`, i % 2 ? i : undefined])),
      Object.fromEntries(Array.from({ length: 35_000 }, (_, i) => [`k${String(2 * i + 1)}`, 2 * i + 1])),
    ],
    [Object.fromEntries(Array.from({ length: 20 }, (_, i) => [i, i ? undefined : 1])), { 0: 1 }],
  ],
  "other fields of an array, such as a match's `index`": [
    [Object.assign([1], { index: 2 }), [1]],
    [/b/.exec('abc'), ['b']],
  ],
  'arrays and plain objects': [
    [[1, ['a', { b: [] }], {}]],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [{ constructor: 'c', toString: 't', prototype: 1, '': 2, 'ñ ñ': 3 }],
    [new ListOnly(1, 2), [1, 2]],
    [foreign('({ a: [1, { b: 2 }] })'), { a: [1, { b: 2 }] }],
    [new Proxy({ a: 1 }, {}), { a: 1 }],
  ],
  '`Date`': [
    [new Date(0)],
    [new Date(1_700_000_000_123)],
    [new Date(-1)],
    [new Date(8.64e15)],
    [new Date(-8.64e15)],
    [new Date(2 ** 34 * 1000 - 1)],
    [new Date(2 ** 34 * 1000)],
    [new Date(2 ** 32 * 1000)],
    [foreign('new Date(17)'), new Date(17)],
  ],
  'an invalid `Date`': [[new Date(NaN), REFUSED]],
  '`Buffer`, `Uint8Array`': [
    [Buffer.from([1, 2])],
    [Buffer.alloc(70_000, 1)],
    [Buffer.alloc(300, 1)],
    [new Uint8Array([1, 2]), Buffer.from([1, 2])],
    [foreign('new Uint8Array([3])'), Buffer.from([3])],
  ],
  'other typed arrays, `DataView`, `ArrayBuffer`': [
    [new Float32Array(2), REFUSED],
    [new Uint8ClampedArray(2), REFUSED],
    [new BigInt64Array(2), REFUSED],
    [new DataView(new ArrayBuffer(2)), REFUSED],
    [new ArrayBuffer(2), REFUSED],
    [new SharedArrayBuffer(2), REFUSED],
  ],
  '`Map` with strings and numbers as keys': [
    [
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map([['b', []]])],
        ['u', undefined],
      ]),
      { a: 1, 2: { b: [] } },
    ],
  ],
  'a `Map` with keys that are equal as text': [
    [
      new Map<unknown, unknown>([
        [1, 'n'],
        ['1', 's'],
      ]),
      { 1: 's' },
    ],
  ],
  'other `Map`s': [
    [new Map([[{}, 1]]), REFUSED],
    [new Map([[null, 1]]), REFUSED],
    [new Map([[true, 1]]), REFUSED],
    [new Map([['__proto__', 1]]), REFUSED],
    [new Map([['a', new Error('x')]]), REFUSED],
  ],
  '`Set`': [[new Set(['a', { b: 1 }]), ['a', { b: 1 }]]],
  'anything with a `toJSON`, such as `URL`': [
    [new URL('https://example.com/a?b=1'), 'https://example.com/a?b=1'],
    [new Tagged(), { at: new Date(5), self: 1 }],
    [{ a: { toJSON: () => [1] } }, { a: [1] }],
    [{ before: 1, toJSON: () => 'mine', after: 2 }, 'mine'],
    [Object.assign(new HttpError('x'), { toJSON: () => ({ message: 'x' }) }), { message: 'x' }],
  ],
  'other instances of classes': [
    [new Dto(), { to: 'ada' }],
    [Object.create({ inherited: 1 }), {}],
  ],
  '`Error`': [
    [new Error('x'), REFUSED],
    [new HttpError('x'), REFUSED],
    [foreign('new TypeError()'), REFUSED],
  ],
  '`RegExp`': [[/a/g, REFUSED]],
  '`URLSearchParams`, `Headers`, `FormData`': [
    [new URLSearchParams('a=1'), REFUSED],
    [new Headers({ a: '1' }), REFUSED],
    [new FormData(), REFUSED],
  ],
  '`Blob`, `File`': [
    [new Blob(['a']), REFUSED],
    [new File(['a'], 'a.txt'), REFUSED],
  ],
  "boxed values, such as `new String('a')`": [
    [Object('a'), REFUSED],
    [Object(1), REFUSED],
    [Object(true), REFUSED],
    [Object(1n), REFUSED],
    [Object(Symbol('a')), REFUSED],
  ],
  'functions, symbols': [
    [() => 1, REFUSED],
    [Dto, REFUSED],
    [Symbol('a'), REFUSED],
    [{ toString: () => 'x' }, REFUSED],
  ],
  'promises, and everything else that has a `then`': [
    [Promise.resolve(1), REFUSED],
    [Object.create({ then: () => 1 }), REFUSED],
  ],
  '`WeakMap`, `WeakSet`, `WeakRef`': [
    [new WeakMap(), REFUSED],
    [new WeakSet(), REFUSED],
    [new WeakRef({}), REFUSED],
  ],
  'iterators, generators': [
    [[1][Symbol.iterator](), REFUSED],
    [new Map([[1, 1]]).entries(), REFUSED],
    [
      (function* () {
        yield 1;
      })(),
      REFUSED,
    ],
  ],
  '`Intl` objects': [
    [new Intl.NumberFormat(), REFUSED],
    [new Intl.DateTimeFormat(), REFUSED],
  ],
  'a key named `__proto__`': [[JSON.parse('{ "a": { "__proto__": { "b": 1 } } }'), REFUSED]],
  'data that refers to itself': [
    [cyclic, REFUSED],
    [Readable.from([]), REFUSED],
  ],
  'more than 100 levels': [[deep, REFUSED]],
  'getters of a plain object': [
    [
      {
        get a() {
          return [1];
        },
      },
      { a: [1] },
    ],
  ],
  'a getter or a `toJSON` that throws': [
    [
      {
        get a() {
          throw new Error('x');
        },
      },
      REFUSED,
    ],
    [
      {
        toJSON: () => {
          throw new Error('x');
        },
      },
      REFUSED,
    ],
    [revoked.proxy, REFUSED],
  ],
  'symbols as keys, fields that are not enumerable': [[hidden, { a: 1 }]],
  'half of a surrogate pair in a string or a key': [
    ['a\ud800', 'a\ufffd'],
    [{ '\udc00': 1 }, { '\ufffd': 1 }],
  ],
  'keys that differ only in such a half': [
    [{ '\ud800': 1, '\ud801': 2 }, { '\ufffd': 2 }],
    [
      new Map([
        ['\ud800', 1],
        ['\ud801', 2],
      ]),
      { '\ufffd': 2 },
    ],
  ],
};

test('each row of docs/payloads.md has samples, and no other', () => {
  expect(Object.keys(samples).sort()).toEqual(rows.map(([sent]) => sent).sort());
});

describe.each(rows)('%s: %s', (sent, arrives) => {
  const cases = samples[sent] ?? [];

  test('alone, in an object and in a list', () => {
    for (const [value, ...expected] of cases) {
      const isRefused = expected[0] === REFUSED;
      expect(isRefused).toBe(arrives === 'refused');
      if (isRefused) {
        expect(() => encodePayload(value)).toThrow(EncodeError);
        expect(() => encodePayload({ user: { photo: value } })).toThrow(/at data\.user\.photo[,[.]/);
        expect(() => encodePayload([0, value])).toThrow(/at data\[1\][,[.]/);
        continue;
      }
      const [wanted = value] = expected;
      expect(decodePayload(encodePayload(value))).toStrictEqual(wanted === undefined ? null : wanted);
      expect(decodePayload(encodePayload([value]))).toStrictEqual([wanted]);
      if (value !== undefined)
        expect(decodePayload(encodePayload({ a: value }))).toStrictEqual({ a: wanted });
    }
  });

  test('an event has the value that is stored', () => {
    if (arrives === 'refused') return;
    if (sent.startsWith('bigints')) return;
    for (const [value] of cases) {
      const { stored, inEvent } = encodeResult([value], 1e9);
      expect(decodeReturnValue(inEvent)).toStrictEqual(decodePayload(stored));
    }
  });
});

test('an event has JSON if JSON can represent the value, and nothing if the value is large', () => {
  expect(encodeResult({ a: [1, 'x', null, 1.5], b: undefined }, 100).inEvent).toBe('{"a":[1,"x",null,1.5]}');
  expect(encodeResult({ at: new Date(5) }, 100).inEvent).toMatch(/^msgpack:/);
  expect(encodeResult('x'.repeat(101), 100).inEvent).toBe('');
  expect(encodeResult([2n ** 60n], 100).inEvent).toBe('');
  expect(decodeReturnValue('msgpack:!')).toBe('msgpack:!');
  expect(decodeReturnValue('not JSON')).toBe('not JSON');
});

test('integers are written as integers', () => {
  const head = (value: number): number => encodePayload(value)[0] as number;
  expect(encodePayload(1_732_630_000_123).toString('hex')).toBe('cf0000019368cbb1fb');
  expect(encodePayload(-(2 ** 40)).toString('hex')).toBe('d3ffffff0000000000');
  expect(head(2 ** 32)).toBe(0xcf);
  expect(head(2 ** 53 - 1)).toBe(0xcf);
  expect(head(-(2 ** 53) + 1)).toBe(0xd3);
  for (const value of [2 ** 53, -(2 ** 53), 1.5, -0, 1e21, NaN]) expect(head(value)).toBe(0xcb);
});

test('the path is right for every kind of key', () => {
  const message = (data: unknown): string => {
    try {
      encodePayload(data);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  expect(message({ list: [{ 'my key': /a/ }] })).toMatch(/at data\.list\[0\]\["my key"\], .*RegExp.*source/);
  expect(message({ 'a\nb\u001b[31m': Symbol('x') })).toMatch(/at data\["a\\nb\\u001b\[31m"\]/);
  expect(message({ ['k'.repeat(1000)]: /a/ }).length).toBeLessThan(400);
  expect(message(new Map([['a', [new Map([[1, /a/]])]]]))).toMatch(/at data\.a\[0\]\[1\],/);
  expect(
    message({
      get secret() {
        throw new Error('closed');
      },
    }),
  ).toMatch(/at data\.secret, reading it failed: closed/);
  expect(message(deep).length).toBeLessThan(500);
  expect(() => encodeResult({ photo: /a/ }, 0)).toThrow(/at returnvalue\.photo,/);
});

test('what a toJSON writes meanwhile does no harm', () => {
  const inner: Buffer[] = [];
  const data = {
    before: 'x'.repeat(100),
    nested: {
      toJSON: () => {
        inner.push(encodePayload({ inner: 1 }));
        expect(() => encodePayload(/a/)).toThrow(EncodeError);
        return 'done';
      },
    },
    after: 'y'.repeat(100_000),
  };
  const bytes = encodePayload(data);
  expect(decodePayload(bytes)).toEqual({ ...data, nested: 'done' });
  expect(decodePayload(inner[0] as Buffer)).toEqual({ inner: 1 });
});

test('what was handed out stays as it is, whatever is written later', () => {
  const written: [Buffer, string][] = [];
  for (let i = 0; i < 400; i++) {
    const bytes = encodePayload({ i, pad: 'z'.repeat((i * 7919) % 20_000) });
    written.push([bytes, bytes.toString('latin1')]);
  }
  for (const [bytes, text] of written) expect(bytes.toString('latin1')).toBe(text);
});

test('a list of four billion holes is refused before the memory is full', () => {
  const list: unknown[] = [];
  list.length = 4_294_967_295;
  expect(() => encodePayload(list)).toThrow(/at data, .*more than 67108864 elements/);
});
