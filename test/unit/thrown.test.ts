import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { isError, isUnrecoverable, readProperty, writeProperty } from '../../lib/engine/base/safe-access.js';
import { detailOf, messageOf, stackOf, toError } from '../../lib/engine/base/thrown.js';
import { Getters, boom, hostile, withMessage } from '../support/thrown.js';

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** An error whose causes never end, and all have its text. */
function repeating(): Error {
  const error = new Error('again');
  Object.defineProperty(error, 'cause', { get: repeating });
  return error;
}

/** A proxy whose properties, and prototypes, never end. */
function endless(): object {
  return new Proxy(
    {},
    { get: () => endless(), getPrototypeOf: () => endless(), ownKeys: () => ['a'], has: () => true },
  );
}

const circular: Record<string, unknown> = { status: 429 };
circular.self = circular;

/** Everything that is hard to look at, by what it is. */
const HARD: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  false: false,
  'an empty text': '',
  NaN: NaN,
  'a symbol': Symbol('s'),
  'a bigint': 10n,
  'a function': boom,
  'nothing at all': Object.create(null) as object,
  'a hostile proxy': hostile(),
  'a hostile proxy of an error': hostile(new Error('x')),
  'a hostile proxy of an array': hostile([]),
  'a revoked proxy': revoked(),
  'an endless proxy': endless(),
  'getters that throw': new Getters(),
  'a toJSON that throws': { toJSON: boom },
  'a toString that throws': { toString: boom, a: 1 },
  'a toString that returns an object': { toString: () => ({}) },
  'a primitive that throws': { [Symbol.toPrimitive]: boom },
  'an instance check that throws': Object.create(hostile()) as object,
  'a cycle': circular,
  'a message that is undefined': withMessage(undefined),
  'a message that is null': withMessage(null),
  'a message that is an object': withMessage({ status: 429 }),
  'a message that is a symbol': withMessage(Symbol('m')),
  'a message that is hostile': withMessage(hostile()),
  'a name that is a symbol': Object.assign(new Error('x'), { name: Symbol('n') }),
  'a stack that is a number': Object.defineProperty(new Error('x'), 'stack', { value: 5 }),
  'a code that is hostile': Object.assign(new Error('x'), { code: hostile() }),
  'a cause that is hostile': new Error('x', { cause: hostile() }),
  'errors that are hostile': Object.assign(new AggregateError([]), { errors: hostile([]) }),
  'a frozen error': Object.freeze(new Error('x')),
};

describe('no thrown value makes them throw', () => {
  test.each(Object.keys(HARD))('%s', (what) => {
    const value = HARD[what];
    for (const text of [messageOf(value), detailOf(value)]) {
      expect(typeof text).toBe('string');
      expect(text.length).toBeLessThanOrEqual(2_001);
    }
    expect(['string', 'undefined']).toContain(typeof stackOf(value));
    expect(typeof isUnrecoverable(value)).toBe('boolean');
    expect(typeof isError(value)).toBe('boolean');
    const error = toError(value);
    expect(error).toBeInstanceOf(Error);
    expect(typeof error.message).toBe('string');
    expect(typeof error.stack).toBe('string');
    expect(
      error === value || error.cause === value || (Number.isNaN(value) && Number.isNaN(error.cause)),
    ).toBe(true);
    expect(() => readProperty(value, 'a')).not.toThrow();
    expect(() => {
      writeProperty(Object(value) as { name?: unknown }, 'name', readProperty(value, 'name'));
    }).not.toThrow();
  });
});

describe('the best text available', () => {
  test.each<[unknown, string]>([
    [{ status: 429 }, '{"status":429}'],
    [{ message: 'slow down', status: 429 }, '{"message":"slow down","status":429}'],
    [[1, 'a'], '[1,"a"]'],
    [{ error: new TypeError('inner') }, '{"error":"inner"}'],
    [{ big: 5n }, '{"big":"5"}'],
    [circular, '{"status":429,"self":"[Circular]"}'],
    [new Map([['a', 1]]), "Map(1) { 'a' => 1 }"],
    [{ toString: () => 'mine' }, 'mine'],
    [new URL('http://a.test/b'), 'http://a.test/b'],
    [Symbol('s'), 'Symbol(s)'],
    [boom, 'function boom'],
    [undefined, 'undefined'],
    [null, 'null'],
    [false, 'false'],
    [withMessage(undefined), 'as it was made'],
    [withMessage(undefined, 'two\nlines'), 'two\nlines'],
    [withMessage(null), 'as it was made'],
    [withMessage(undefined, ''), 'Error'],
    [withMessage({ status: 429 }), '{"status":429}'],
    [withMessage(42), '42'],
    [new TypeError(''), 'TypeError'],
    [new TypeError('   '), 'TypeError'],
    [Object.assign(new Error(''), { name: 'QuotaError' }), 'QuotaError'],
    [Object.create(null), 'an error that cannot be printed'],
  ])('%# %o', (value, text) => {
    expect(messageOf(value)).toBe(text);
    expect(detailOf(value)).toBe(text);
  });

  test('of a revoked proxy', () => {
    expect(messageOf(revoked())).toBe('<Revoked Proxy>');
  });

  test('an error of another realm is an error', () => {
    const error: unknown = runInContext(
      'new TypeError("elsewhere", { cause: new Error("why") })',
      createContext(),
    );
    expect(error).not.toBeInstanceOf(Error);
    expect(isError(error)).toBe(true);
    expect(detailOf(error)).toBe('elsewhere; caused by: why');
    expect(toError(error)).toBe(error);
  });
});

describe('a detail', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' });

  test('has the chain of causes and their codes', () => {
    const coded = Object.assign(new Error('no answer', { cause: 'the proxy' }), { code: 'ETIMEDOUT' });
    expect(detailOf(new TypeError('fetch failed', { cause: refused }))).toBe(
      'fetch failed; caused by: connect ECONNREFUSED 127.0.0.1:9',
    );
    expect(detailOf(new TypeError('fetch failed', { cause: coded }))).toBe(
      'fetch failed; caused by: no answer [ETIMEDOUT]; caused by: the proxy',
    );
    expect(detailOf(Object.assign(new Error('unavailable'), { code: 14 }))).toBe('unavailable [14]');
    expect(detailOf(new Error('x', { cause: { status: 429 } }))).toBe('x; caused by: {"status":429}');
  });

  test('does not repeat a cause that the message quotes', () => {
    expect(detailOf(new Error(`sync: ${refused.message}`, { cause: refused }))).toBe(
      `sync: ${refused.message}`,
    );
  });

  test('has the errors of an AggregateError', () => {
    const error = Object.assign(new AggregateError([refused, { status: 500 }]), { code: 'ECONNREFUSED' });
    expect(detailOf(error)).toBe(
      'AggregateError [ECONNREFUSED] (2 errors: connect ECONNREFUSED 127.0.0.1:9; {"status":500})',
    );
    expect(detailOf(new AggregateError(Array(9).fill('a'), 'all failed'))).toBe(
      'all failed (9 errors: a; a; a; a; a; …)',
    );
  });

  test('of an UnrecoverableError has its cause; other errors of this package have it in their message', () => {
    expect(detailOf(new UnrecoverableError('blocked', { cause: refused }))).toBe(
      `blocked; caused by: ${refused.message}`,
    );
  });

  test('ends if causes form a circle or never end', () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    expect(detailOf(a)).toBe('a; caused by: b');
    let deep = new Error('0');
    for (let i = 1; i < 10_000; i++) deep = new Error(String(i), { cause: deep });
    expect(detailOf(deep).split('; caused by: ').length).toBeLessThanOrEqual(8);
  });

  test('has a bounded length', () => {
    const long = 'x'.repeat(1_000_000);
    for (const value of [
      long,
      new Error(long),
      { long },
      Array(100_000).fill('abc'),
      new Map([[long, long]]),
    ]) {
      expect(detailOf(value).length).toBeLessThanOrEqual(2_001);
    }
  });

  test('is well-formed UTF-16, also after a cut', () => {
    for (const message of ['\ud800', 'x'.repeat(1_999) + '😀'.repeat(9)]) {
      const detail = detailOf(new Error(message));
      expect(Buffer.from(detail).toString()).toBe(detail);
    }
  });
});

describe('a stack', () => {
  test('has the causes', () => {
    const stack = stackOf(new Error('outer', { cause: new TypeError('inner') }));
    expect(stack).toMatch(/^Error: outer\n {4}at .*\n(?: {4}at .*\n)*Caused by: TypeError: inner\n {4}at /);
  });

  test('cannot forge a line of a log', () => {
    const stack = stackOf(new Error('x\n[Nest] 1  - ERROR forged\r\n\u001b[31mred\u2028'));
    const lines = stack!.split('\n');
    expect(lines[0]).toBe('Error: x\\n[Nest] 1  - ERROR forged\\r\\n\\x1b[31mred\\u2028');
    expect(lines.slice(1).every((line) => /^ {4}at /.test(line))).toBe(true);
  });

  test('has a bounded length, and is absent without a stack', () => {
    expect(stackOf(new Error('x'.repeat(100_000)))!.length).toBeLessThanOrEqual(8_001);
    expect(stackOf('text')).toBeUndefined();
    expect(stackOf({ stack: 'mine' })).toBeUndefined();
  });
});

describe('toError', () => {
  test('returns an error unchanged, and wraps any other value as the cause', () => {
    const error = new RangeError('x');
    expect(toError(error)).toBe(error);
    const wrapped = toError({ status: 429 });
    expect(wrapped).toMatchObject({ name: 'Error', message: '{"status":429}', cause: { status: 429 } });
    expect(wrapped.stack).toBe('Error: {"status":429}');
  });

  test('an unrecoverable value stays unrecoverable', () => {
    expect(isUnrecoverable(toError({ name: 'UnrecoverableError', message: 'no' }))).toBe(true);
    expect(isUnrecoverable(toError({ name: 'Other', message: 'no' }))).toBe(false);
  });
});

test('causes that never end are not followed forever', () => {
  expect(detailOf(repeating())).toBe('again');
  expect(stackOf(repeating())).toContain('Caused by: ');
});

test('many megabytes are not printed', () => {
  const bytes = Buffer.alloc(20_000_000);
  const before = process.cpuUsage();
  const texts = [bytes, new Float64Array(2_000_000), { status: 502, body: new Uint8Array(bytes) }].map(
    detailOf,
  );
  const list = detailOf({ status: 502, rows: new Array<number>(5_000_000).fill(1) });
  // Not by the clock: this process may have to wait for a processor.
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(1_000);
  expect(texts[0]).toMatch(/^Buffer\(20000000\)/);
  expect(texts[1]).toMatch(/^Float64Array/);
  expect(texts[2]).toBe('{"status":502,"body":"[20000000 bytes]"}');
  expect(list).toMatch(/^\{"status":502,"rows":\[1,1,/);
});

test('an empty string has a text', () => {
  expect(detailOf('')).toBe('an empty text');
});
