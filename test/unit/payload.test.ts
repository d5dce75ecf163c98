import { describe, expect, test } from 'vitest';
import { DecodeError, EncodeError } from '../../lib/engine/base/errors.js';
import { MAX_DEPTH, decodePayload, encodePayload } from '../../lib/engine/codec/payload.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex');
const bytesOf = (data: unknown): string => encodePayload(data).toString('hex');

/** Arrays within each other, `depth` of them. */
function nest(depth: number): unknown {
  let data: unknown = 1;
  for (let i = 0; i < depth; i++) data = [data];
  return data;
}

class WithMethod {
  run = (): number => 1;
}

class Document {
  // What an object mapper keeps inside, and its toJSON leaves out.
  readonly owner: unknown = { document: this, pending: Promise.resolve() };
  toJSON(): object {
    return { to: 'ada' };
  }
}

class Dto {
  constructor(readonly to: string) {}
}

describe('encodePayload', () => {
  test.each<[unknown, string]>([
    [null, 'c0'],
    [undefined, 'c0'],
    [true, 'c3'],
    [false, 'c2'],
    [0, '00'],
    [-1, 'ff'],
    [127, '7f'],
    [200, 'cc c8'],
    [65_536, 'ce 00010000'],
    [1.5, 'cb 3ff8000000000000'],
    ['', 'a0'],
    ['ñ', 'a2 c3b1'],
    [[], '90'],
    [{}, '80'],
    [{ to: 'ada' }, '81 a2 746f a3 616461'],
    [{ n: undefined }, '80'],
    [Buffer.from([1, 2]), 'c4 02 0102'],
    [new Uint8Array([1, 2]), 'c4 02 0102'],
    [2n ** 63n, 'cf 8000000000000000'],
    [-(2n ** 62n), 'd3 c000000000000000'],
    [new Date(1_000), 'd6 ff 00000001'],
  ])('%# is plain MessagePack: %o', (data, bytes) => {
    expect(bytesOf(data)).toBe(hex(bytes).toString('hex'));
  });

  test('an instance of a class is sent as its fields, or as its toJSON returns', () => {
    expect(bytesOf(new Dto('ada'))).toBe(bytesOf({ to: 'ada' }));
    expect(bytesOf(new Document())).toBe(bytesOf({ to: 'ada' }));
    expect(bytesOf([new Document()])).toBe(bytesOf([{ to: 'ada' }]));
  });

  test('objects of the same shape repeat their keys: no records', () => {
    const one = bytesOf({ a: 1 });
    expect(bytesOf([{ a: 1 }, { a: 1 }])).toBe(`92${one}${one}`);
  });

  test.each([0, 1, MAX_DEPTH - 1, MAX_DEPTH])('nesting %i deep is fine', (depth) => {
    expect(decodePayload(encodePayload(nest(depth)))).toEqual(nest(depth));
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const list: unknown[] = [];
  list.push([list]);

  test.each<[string, unknown]>([
    ['an object that holds itself', cyclic],
    ['an array that holds itself', list],
    ['a function', () => 1],
    ['a function inside', { call: () => 1 }],
    ['a function in a class instance', new WithMethod()],
    ['a promise', { found: Promise.resolve(1) }],
    ['an invalid Date', { at: new Date(NaN) }],
    ['a typed array of wider elements', new Float32Array([1, 2])],
    ['a typed array inside', { samples: [new Uint16Array([1])] }],
    ['a DataView', new DataView(new ArrayBuffer(3))],
    ['an object as the key of a Map', new Map([[{}, 1]])],
    ['a typed array in a Map', new Map([['a', new Int32Array(1)]])],
    ['a typed array in a Set', new Set([new Int32Array(1)])],
    ['a symbol', Symbol('x')],
    ['a symbol inside', [Symbol('x')]],
    ['a bigint beyond 64 bits', 2n ** 64n],
    ['nesting one too deep', nest(MAX_DEPTH + 1)],
    ['nesting of 100,000', nest(100_000)],
  ])('refuses %s', (_, data) => {
    expect(() => encodePayload(data)).toThrow(EncodeError);
  });

  test('the error names the fix and keeps the cause', () => {
    const error = caught(() => encodePayload(cyclic));
    expect(error).toMatchObject({ code: 'CMQ-002', name: 'EncodeError' });
    expect(error.message).toMatch(/refers to itself, or is nested too deep.*plain data/);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('works after a refusal', () => {
    expect(() => encodePayload(cyclic)).toThrow(EncodeError);
    expect(bytesOf({ to: 'ada' })).toBe('81a2746fa3616461');
  });

  test('each result is a buffer of its own', () => {
    const first = encodePayload({ a: 1 });
    const before = first.toString('hex');
    for (let i = 0; i < 50; i++) encodePayload({ b: 'x'.repeat(500), i });
    expect(first.toString('hex')).toBe(before);
  });
});

describe('a payload there and back', () => {
  test.each<[string, unknown]>([
    ['a nested object', { a: [1, 'two', { three: 3.5 }], b: null, c: true }],
    ['a Date', { at: new Date(1_700_000_000_123) }],
    ['a Date before 1970', new Date(-1_500)],
    ['bytes', Buffer.from('ff00ff', 'hex')],
    ['bigints', [2n ** 60n, -(2n ** 60n), 2n ** 64n - 1n]],
    ['long strings', 'ñ'.repeat(70_000)],
    ['a long list', Array.from({ length: 70_000 }, (_, index) => index)],
    ['keys that look like numbers', { 1: 'a', '01': 'b' }],
    ['an empty key', { '': 1 }],
    ['a wide map', Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index]))],
  ])('%s', (_, data) => {
    expect(decodePayload(encodePayload(data))).toEqual(data);
  });

  test('integers are numbers if that is exact, else bigints', () => {
    expect(decodePayload(encodePayload(2n ** 53n - 1n))).toBe(2 ** 53 - 1);
    expect(decodePayload(encodePayload(2n ** 53n + 1n))).toBe(2n ** 53n + 1n);
  });

  test('undefined becomes null, and its key is omitted', () => {
    expect(decodePayload(encodePayload({ a: undefined, b: [undefined] }))).toStrictEqual({ b: [null] });
  });

  test('a Map becomes an object, a Set an array', () => {
    expect(
      decodePayload(
        encodePayload(
          new Map<unknown, unknown>([
            ['a', 1],
            [2, []],
          ]),
        ),
      ),
    ).toEqual({ a: 1, 2: [] });
    expect(decodePayload(encodePayload(new Set(['a', 1])))).toEqual(['a', 1]);
  });
});

describe('decodePayload', () => {
  test.each([
    ['no bytes', ''],
    ['a cut string', 'a5 61'],
    ['a cut number', 'cf 00'],
    ['a cut bin header', 'c5 00'],
    ['a second value behind the first', 'c0 c0'],
    ['the byte that MessagePack never uses', 'c1'],
    ['an array of four billion', 'dd ffffffff'],
    ['a map of four billion', 'df ffffffff c0 c0'],
    ['a string of four billion', 'db ffffffff 61'],
    ['bytes of four billion', 'c6 ffffffff 61'],
    ['an array of 65,535 with one element', 'dc ffff 01'],
    ['a length bomb inside a small map', '81 a1 61 dd 7fffffff 00'],
    ['fixext 1 (undefined, to msgpackr)', 'd4 00 00'],
    ['fixext 1 of type -1', 'd4 ff 00'],
    ['fixext 2', 'd5 01 0000'],
    ['fixext 4 of another type', 'd6 01 00000000'],
    ['fixext 8 of another type', 'd7 72 0000000000000000'],
    ['fixext 16', 'd8 01 00000000000000000000000000000000'],
    ['ext 8 (a record of msgpackr)', 'c7 03 72 010203'],
    ['ext 8 of 12 bytes and another type', 'c7 0c 01 000000000000000000000000'],
    ['ext 16', 'c8 0001 01 00'],
    ['ext 32', 'c9 00000001 01 00'],
    ['ext 32 of four billion', 'c9 ffffffff 01 00'],
  ])('refuses %s', (_, bytes) => {
    const error = caught(() => decodePayload(hex(bytes)));
    expect(error).toBeInstanceOf(DecodeError);
    expect(error).toMatchObject({ code: 'CMQ-003' });
  });

  test.each([
    ['arrays', 0x91],
    ['maps', 0x81],
  ])('refuses 100,000 %s in each other without recursing', (_, head) => {
    expect(() => decodePayload(Buffer.alloc(100_000, head))).toThrow(DecodeError);
  });

  test('refuses nesting that is one level too deep, whatever wrote it', () => {
    const bytes = Buffer.alloc(MAX_DEPTH + 2, 0x91);
    bytes[MAX_DEPTH + 1] = 0xc0;
    expect(() => decodePayload(bytes)).toThrow(/deeper than 100/);
    bytes[MAX_DEPTH] = 0xc0;
    expect(decodePayload(bytes.subarray(0, MAX_DEPTH + 1))).toEqual(nested(MAX_DEPTH, null));
  });

  test('a million empty arrays are wide, not deep', () => {
    const bytes = Buffer.alloc(1_000_005, 0x90);
    bytes[0] = 0xdd;
    bytes.writeUInt32BE(1_000_000, 1);
    expect((decodePayload(bytes) as unknown[]).length).toBe(1_000_000);
  });

  test.each([
    ['__proto__', '81 a9 5f5f70726f746f5f5f 81 a8 706f6c6c75746564 c3'],
    ['constructor', '81 ab 636f6e7374727563746f72 81 a9 70726f746f74797065 81 a8 706f6c6c75746564 c3'],
    ['prototype', '81 a9 70726f746f74797065 81 a8 706f6c6c75746564 c3'],
  ])('a key %s touches no prototype', (_, bytes) => {
    const data = decodePayload(hex(bytes)) as Record<string, unknown>;
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(data.polluted).toBeUndefined();
  });

  test('"constructor", "toString" and "hasOwnProperty" are keys like any other', () => {
    const data = { constructor: 'c', toString: 't', hasOwnProperty: 'h' };
    expect(decodePayload(encodePayload(data))).toEqual(data);
  });

  test('reads a Uint8Array as well as a Buffer', () => {
    expect(decodePayload(new Uint8Array([0x92, 1, 2]))).toEqual([1, 2]);
  });

  test('reads a value inside a larger buffer', () => {
    const within = hex('ffff 81 a1 61 01 ffff').subarray(2, 6);
    expect(decodePayload(within)).toEqual({ a: 1 });
  });

  test('any single wrong byte gives data or a DecodeError', () => {
    const good = encodePayload({ to: 'ada', list: [1, 2, { deep: new Date(5) }], bytes: Buffer.from('xyz') });
    for (let at = 0; at < good.length; at++) {
      for (const value of [0x00, 0x80, 0x9f, 0xc1, 0xc7, 0xd4, 0xdd, 0xdf, 0xff]) {
        const bytes = Buffer.from(good);
        bytes[at] = value;
        try {
          decodePayload(bytes);
        } catch (error) {
          expect(error, `byte ${at} = ${value}`).toBeInstanceOf(DecodeError);
        }
      }
    }
  });
});

function nested(depth: number, inside: unknown): unknown {
  let data = inside;
  for (let i = 0; i < depth; i++) data = [data];
  return data;
}

function caught(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown');
}

test('the result shares no memory with its input', () => {
  const bytes = encodePayload({ file: Buffer.from('abc') });
  const before = Buffer.from(bytes);
  const { file } = decodePayload(bytes) as { file: Buffer };
  expect(Buffer.isBuffer(file)).toBe(true);
  file.fill(0);
  expect(bytes.equals(before)).toBe(true);
});
