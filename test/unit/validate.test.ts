import { describe, expect, test } from 'vitest';
import { ConfigError, ConfigRangeError, ConfigTypeError } from '../../lib/engine/base/errors.js';
import {
  checkDelay,
  checkJobId,
  checkJobName,
  checkQueueName,
} from '../../lib/engine/config/check-arguments.js';
import { checkOptions } from '../../lib/engine/config/check-options.js';
import { boolean, number, record, text, whole } from '../../lib/engine/config/checks.js';
import { nearestKey } from '../../lib/engine/config/nearest-key.js';

type ErrorClass = new (message: string) => Error;

const KEYS = ['concurrency', 'maxAttempts', 'claimMinIdleMs', 'batch', 'group', 'retry'];

describe('nearestKey', () => {
  test.each([
    ['concurency', 'concurrency'],
    ['Concurrency', 'concurrency'],
    ['maxattempts', 'maxAttempts'],
    ['max_attempts', 'maxAttempts'],
    ['retires', 'retry'],
    ['bach', 'batch'],
    ['claimMinIdle', 'claimMinIdleMs'],
    ['grup', 'group'],
    ['somethingElseEntirely', undefined],
    ['x', undefined],
    ['', undefined],
  ])('%j is near to %s', (key, expected) => {
    expect(nearestKey(key, KEYS)).toBe(expected);
  });
});

describe('checkOptions', () => {
  const schema = { concurrency: whole(1), name: text, on: boolean, factor: number(0), more: record };
  interface Options {
    concurrency?: number;
    name?: string;
    on?: boolean;
    factor?: number;
    more?: object;
  }
  const check = (options: unknown) => () => {
    checkOptions<Options>('Worker "mail"', schema, options as Options);
  };

  test('accepts valid options, and undefined for absent', () => {
    expect(check({})).not.toThrow();
    expect(check({ concurrency: 1, name: 'x', on: false, factor: 0, more: {} })).not.toThrow();
    expect(check({ concurrency: undefined, name: undefined })).not.toThrow();
  });

  test.each<[unknown, string]>([
    [{ concurency: 5 }, 'Worker "mail": unknown option "concurency" (5). Did you mean "concurrency"?'],
    [{ zzz: 'y' }, 'Worker "mail": unknown option "zzz".'],
    [{ pasword: 1234 }, 'Worker "mail": unknown option "pasword".'],
    [{ concurrency: 0 }, 'Worker "mail": option "concurrency" must be a whole number of at least 1, not 0.'],
    [
      { concurrency: 1.5 },
      'Worker "mail": option "concurrency" must be a whole number of at least 1, not 1.5.',
    ],
    [
      { concurrency: '5' },
      'Worker "mail": option "concurrency" must be a whole number of at least 1, not "5".',
    ],
    [
      { concurrency: NaN },
      'Worker "mail": option "concurrency" must be a whole number of at least 1, not NaN.',
    ],
    [
      { concurrency: null },
      'Worker "mail": option "concurrency" must be a whole number of at least 1, not null.',
    ],
    [
      { concurrency: 5n },
      'Worker "mail": option "concurrency" must be a whole number of at least 1, not 5n.',
    ],
    [{ name: ' ' }, 'Worker "mail": option "name" must be a string that is not blank, not " ".'],
    [{ name: {} }, 'Worker "mail": option "name" must be a string that is not blank, not an object.'],
    [{ on: 1 }, 'Worker "mail": option "on" must be true or false, not 1.'],
    [{ on: () => 1 }, 'Worker "mail": option "on" must be true or false, not a function.'],
    [{ factor: -1 }, 'Worker "mail": option "factor" must be a finite number of at least 0, not -1.'],
    [
      { factor: Infinity },
      'Worker "mail": option "factor" must be a finite number of at least 0, not Infinity.',
    ],
    [{ more: [] }, 'Worker "mail": option "more" must be an object, not an array.'],
    [undefined, 'Worker "mail": options must be an object, not undefined.'],
    [null, 'Worker "mail": options must be an object, not null.'],
    [[], 'Worker "mail": options must be an object, not an array.'],
    ['x', 'Worker "mail": options must be an object, not a string.'],
    [{ on: 'redis://h' }, 'Worker "mail": option "on" must be true or false, not a string.'],
    [{ on: 'p@ss' }, 'Worker "mail": option "on" must be true or false, not a string.'],
  ])('%# refuses %o', (options, message) => {
    expect(check(options)).toThrow(new ConfigError(message));
  });

  test.each(['constructor', 'toString', 'hasOwnProperty'])('"%s" is not an option', (key) => {
    expect(check({ [key]: 1 })).toThrow(ConfigError);
  });

  test('__proto__ is not an option either', () => {
    expect(check(JSON.parse('{"__proto__": 1}'))).toThrow(ConfigError);
  });

  test('shows only the beginning of a long value', () => {
    expect(check({ on: 'x'.repeat(1_000_000) })).toThrow(/not "x{60}…"/);
  });
});

describe('whole', () => {
  test('names both bounds', () => {
    const check = whole(1, 10);
    expect(check(10)).toBeUndefined();
    expect(check(11)).toBe('must be a whole number of at least 1 and at most 10');
    expect(check(2 ** 53)).toBeDefined();
  });
});

describe('names and ids', () => {
  test.each<[unknown, ErrorClass | undefined]>([
    ['emails', undefined],
    ['a:b/c d', undefined],
    ['ñ'.repeat(128), undefined],
    ['ñ'.repeat(129), ConfigError],
    ['', ConfigTypeError],
    ['  ', ConfigTypeError],
    ['a{b', ConfigError],
    ['a}b', ConfigError],
    [undefined, ConfigTypeError],
    [5, ConfigTypeError],
    [{}, ConfigTypeError],
  ])('%# queue name %o', (name, error) => {
    const check = (): void => {
      checkQueueName(name);
    };
    if (error) expect(check).toThrow(error);
    else expect(check).not.toThrow();
  });

  test.each<[unknown, ErrorClass | undefined]>([
    ['', undefined],
    ['send', undefined],
    ['x'.repeat(256), undefined],
    ['x'.repeat(257), ConfigError],
    ['€'.repeat(85), undefined],
    ['€'.repeat(86), ConfigError],
    [' ', ConfigTypeError],
    ['\t\n', ConfigTypeError],
    [undefined, ConfigTypeError],
    [null, ConfigTypeError],
    [1, ConfigTypeError],
  ])('%# job name %o', (name, error) => {
    const check = (): void => {
      checkJobName(name);
    };
    if (error) expect(check).toThrow(error);
    else expect(check).not.toThrow();
  });

  test.each<[unknown, ErrorClass | undefined]>([
    ['order-1', undefined],
    ['x'.repeat(512), undefined],
    ['x'.repeat(513), ConfigError],
    ['€'.repeat(170), undefined],
    ['€'.repeat(171), ConfigError],
    ['', ConfigTypeError],
    ['   ', ConfigTypeError],
    [undefined, ConfigTypeError],
    [5, ConfigTypeError],
  ])('%# job id %o', (id, error) => {
    const check = (): void => {
      checkJobId(id);
    };
    if (error) expect(check).toThrow(error);
    else expect(check).not.toThrow();
  });

  test.each<[unknown, ErrorClass | undefined]>([
    [0, undefined],
    [0.5, undefined],
    [1000, undefined],
    [1001, ConfigRangeError],
    [-1, ConfigRangeError],
    [-Number.MIN_VALUE, ConfigRangeError],
    [NaN, ConfigRangeError],
    [Infinity, ConfigRangeError],
    ['5', ConfigRangeError],
    [null, ConfigRangeError],
  ])('%# delay %o of at most 1,000', (delay, error) => {
    const check = (): void => {
      checkDelay(delay, 1000);
    };
    if (error) expect(check).toThrow(error);
    else expect(check).not.toThrow();
  });
});

describe('hostile options', () => {
  const schema = { host: text, port: whole(1) };

  test('a name that is an address is not shown: it may contain a password', () => {
    for (const key of ['redis://:s3cret@db', 'user:s3cret@db', ' valkey://:s3cret@db']) {
      const options = { [key]: 1 };
      expect(() => checkOptions<object>('Queue "q"', schema, options)).toThrow(
        'unknown option whose name looks like a URL',
      );
      expect(() => checkOptions<object>('Queue "q"', schema, options)).not.toThrow('s3cret');
    }
  });

  test('an accessor that throws is a ConfigError with its cause', () => {
    const cause = new Error('no such secret');
    const plain = {
      get host(): string {
        throw cause;
      },
    };
    class Options {
      get host(): string {
        throw cause;
      }
    }
    for (const options of [plain, new Options(), Object.create(plain) as typeof plain]) {
      let thrown: unknown;
      try {
        checkOptions<object>('Queue "q"', schema, options);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(ConfigError);
      expect(thrown).toMatchObject({ code: 'CMQ-004', cause });
      expect((thrown as Error).message).toContain('"host" cannot be read');
    }
  });
});
