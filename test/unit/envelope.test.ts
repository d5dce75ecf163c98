import { describe, expect, test } from 'vitest';
import { decodeEnvelope, locateJob } from '../../lib/engine/codec/read-envelope.js';
import {
  encodeEnvelope,
  envelopeBound,
  withAttempt,
  writeDelayedMember,
  writeEnvelope,
} from '../../lib/engine/codec/write-envelope.js';
import { readExtras } from '../../lib/engine/codec/extras.js';
import type { Envelope } from '../../lib/engine/codec/envelope.js';
import { DecodeError } from '../../lib/engine/base/errors.js';

/** Bytes as they stand in the table of the wire format, with blanks for reading. */
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex');
const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
// {"to":"ada"}: a map of one, two fixstrs.
const PAYLOAD = '81 a2 746f a3 616461';
// 1,700,000,000,000 = 0x18bcfe56800, always a uint64.
const CREATED = 'cf 0000018bcfe56800';

const base: Envelope = {
  id: ID,
  payload: hex(PAYLOAD),
  createdAtMs: 1_700_000_000_000,
  attempt: 0,
};

const fixtures: [name: string, envelope: Envelope, bytes: string][] = [
  ['a first delivery', base, `94 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} 00`],
  ['two attempts used', { ...base, attempt: 2 }, `94 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} 02`],
  [
    'created_at_ms 0 is a uint64 too',
    { ...base, createdAtMs: 0 },
    `94 ba ${ascii(ID)} c4 08 ${PAYLOAD} cf 0000000000000000 00`,
  ],
  [
    'the greatest exact created_at_ms',
    { ...base, createdAtMs: Number.MAX_SAFE_INTEGER },
    `94 ba ${ascii(ID)} c4 08 ${PAYLOAD} cf 001fffffffffffff 00`,
  ],
  ['an id of UTF-8', { ...base, id: 'ñ€' }, `94 a5 c3b1 e282ac c4 08 ${PAYLOAD} ${CREATED} 00`],
  [
    'attempts only',
    { ...base, retry: { maxAttempts: 5 } },
    `95 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} 00  92 05 c0`,
  ],
  [
    'a fixed backoff without options',
    { ...base, retry: { backoff: { kind: 'fixed', delayMs: 100 } } },
    `95 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} 00  92 c0 95 a5 ${ascii('fixed')} 64 c0 c0 c0`,
  ],
  [
    'everything',
    {
      ...base,
      retry: {
        maxAttempts: 300,
        backoff: { kind: 'exponential', delayMs: 1000, maxDelayMs: 70_000, multiplier: 1.5, jitterMs: 0 },
      },
    },
    `95 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} 00
     92 cd 012c
        95 ab ${ascii('exponential')} cd 03e8 ce 00011170 cb 3ff8000000000000 00`,
  ],
];

describe('the msgpack Job', () => {
  test.each(fixtures)('is written to the byte: %s', (_, envelope, bytes) => {
    expect(encodeEnvelope(envelope).toString('hex')).toBe(hex(bytes).toString('hex'));
  });

  test.each(fixtures)('is read back: %s', (_, envelope, bytes) => {
    const { id, payload, createdAtMs, attempt, retry } = decodeEnvelope(hex(bytes));
    expect({ id, payload, createdAtMs, attempt, retry }).toEqual({ retry: undefined, ...envelope });
  });

  test.each([
    [31, 'bf'],
    [32, 'd9 20'],
    [255, 'd9 ff'],
    [256, 'da 0100'],
    [512, 'da 0200'],
  ])('an id of %i bytes has the header %s', (length, header) => {
    const id = 'x'.repeat(length);
    const bytes = encodeEnvelope({ ...base, id });
    expect(bytes.toString('hex')).toBe(
      hex(`94 ${header} ${ascii(id)} c4 08 ${PAYLOAD} ${CREATED} 00`).toString('hex'),
    );
    expect(decodeEnvelope(bytes).id).toBe(id);
  });

  test.each([
    [0, 'c4 00'],
    [255, 'c4 ff'],
    [256, 'c5 0100'],
    [65_535, 'c5 ffff'],
    [65_536, 'c6 00010000'],
  ])('a payload of %i bytes is a bin with the header %s', (length, header) => {
    const payload = Buffer.alloc(length, 0xc0);
    const bytes = encodeEnvelope({ ...base, payload });
    const front = hex(`94 ba ${ascii(ID)} ${header}`);
    expect(bytes.subarray(0, front.length).toString('hex')).toBe(front.toString('hex'));
    expect(decodeEnvelope(bytes).payload.equals(payload)).toBe(true);
  });

  test.each([
    [127, '7f'],
    [128, 'cc 80'],
    [255, 'cc ff'],
    [256, 'cd 0100'],
    [65_535, 'cd ffff'],
    [65_536, 'ce 00010000'],
    [2 ** 32 - 1, 'ce ffffffff'],
    [2 ** 32, 'cf 0000000100000000'],
  ])('attempt %i is the unsigned integer %s', (attempt, bytes) => {
    const encoded = encodeEnvelope({ ...base, attempt });
    expect(encoded.toString('hex')).toBe(
      hex(`94 ba ${ascii(ID)} c4 08 ${PAYLOAD} ${CREATED} ${bytes}`).toString('hex'),
    );
    expect(decodeEnvelope(encoded).attempt).toBe(attempt);
  });

  test.each([
    ['a fixint', '07', 7],
    ['a uint8', 'cc ff', 255],
    ['a uint16', 'cd ffff', 65_535],
    ['a uint32', 'ce ffffffff', 4_294_967_295],
    ['a uint64', 'cf 0000018bcfe56800', 1_700_000_000_000],
  ])('created_at_ms of another writer may be %s', (_, bytes, value) => {
    expect(decodeEnvelope(hex(`94 a1 61 c4 00 ${bytes} 00`)).createdAtMs).toBe(value);
  });

  test.each([
    ['array 16 of four', 'dc 0004 a1 61 c4 00 00 00'],
    ['a nil retry', '95 a1 61 c4 00 00 00 c0'],
    ['str 8 for a short id', '94 d9 01 61 c4 00 00 00'],
    ['str 16 for a short id', '94 da 0001 61 c4 00 00 00'],
    ['bin 32 for a short payload', '94 a1 61 c6 00000000 00 00'],
  ])('of another writer may have %s', (_, bytes) => {
    const { id, retry } = decodeEnvelope(hex(bytes));
    expect({ id, retry }).toEqual({ id: 'a', retry: undefined });
  });

  test('a multiplier that another writer encoded as an integer is read', () => {
    const bytes = hex('95 a1 61 c4 00 00 00 92 c0 95 a5 6669786564 64 c0 03 c0');
    expect(decodeEnvelope(bytes).retry?.backoff?.multiplier).toBe(3);
  });

  test.each([
    ['nothing', ''],
    ['no array', 'c0'],
    ['a map', '84 a1 61 c4 00 00 00'],
    ['an array of three', '93 a1 61 c4 00 00'],
    ['an array of six', '96 a1 61 c4 00 00 00 c0 c0'],
    ['an array of four billion', 'dd ffffffff a1 61'],
    ['an id that is a number', '94 01 c4 00 00 00'],
    ['an id that is binary', '94 c4 01 61 c4 00 00 00'],
    ['an id longer than the bytes', '94 d9 ff 61'],
    ['a payload that is a string', '94 a1 61 a1 62 00 00'],
    ['a payload that is a map', '94 a1 61 80 00 00'],
    ['a payload longer than the bytes', '94 a1 61 c6 ffffffff 00'],
    ['created_at_ms as float64', '94 a1 61 c4 00 cb 4278bcfe56800000 00'],
    ['created_at_ms negative', '94 a1 61 c4 00 ff 00'],
    ['an int64 attempt', '94 a1 61 c4 00 00 d3 0000000000000001'],
    ['no attempt', '94 a1 61 c4 00 00'],
    ['half a uint64', '94 a1 61 c4 00 cf 00000000'],
    ['arity 5 without retry', '95 a1 61 c4 00 00 00'],
    ['a retry of one', '95 a1 61 c4 00 00 00 91 c0'],
    ['a retry that is a map', '95 a1 61 c4 00 00 00 80'],
    ['a backoff of four', '95 a1 61 c4 00 00 00 92 c0 94 a1 61 00 c0 c0'],
    ['a backoff without delay', '95 a1 61 c4 00 00 00 92 c0 95 a1 61 c0 c0 c0 c0'],
    ['attempts as a string', '95 a1 61 c4 00 00 00 92 a1 35 c0'],
  ])('is refused with %s', (_, bytes) => {
    expect(() => decodeEnvelope(hex(bytes))).toThrow(DecodeError);
    expect(() => decodeEnvelope(hex(bytes))).toThrow(/^Not a Job: /);
  });

  test('is refused if it is cut off at any byte', () => {
    const whole = encodeEnvelope((fixtures.at(-1) as (typeof fixtures)[number])[1]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeEnvelope(whole.subarray(0, length)), `${length} bytes`).toThrow(DecodeError);
    }
  });

  test('stays within its bound with any characters', () => {
    const retry = {
      maxAttempts: 2 ** 40,
      backoff: {
        kind: '€'.repeat(40),
        delayMs: 2 ** 40,
        maxDelayMs: 2 ** 40,
        multiplier: 2,
        jitterMs: 2 ** 40,
      },
    };
    const wide = { ...base, id: '€'.repeat(170), attempt: 2 ** 40, retry };
    const buffer = Buffer.alloc(envelopeBound(wide) + 8, 0xee);
    const end = writeEnvelope(buffer, 0, wide);
    expect(end).toBeLessThanOrEqual(envelopeBound(wide));
    expect(decodeEnvelope(buffer.subarray(0, end))).toMatchObject(wide);
  });
});

describe('withAttempt', () => {
  const job = (attempt: string): Buffer =>
    hex(`95 a1 61 c4 02 c2c3 ${CREATED} ${attempt}  92 05 95 a5 ${ascii('fixed')} 64 c0 c0 c0`);

  test.each([
    [0, '02', '00'],
    [3, '02', '03'],
    [128, '02', 'cc 80'],
    [70_000, 'cc 80', 'ce 00011170'],
    [0, 'cf 00000000000000ff', '00'],
  ])('writes %i in the place of %s and changes nothing else', (attempt, before, after) => {
    expect(withAttempt(job(before), attempt).toString('hex')).toBe(job(after).toString('hex'));
  });

  test('does not change its input', () => {
    const given = job('02');
    withAttempt(given, 9);
    expect(given.equals(job('02'))).toBe(true);
  });

  test('refuses bytes that are not a Job', () => {
    expect(() => withAttempt(hex('93 a1 61 c4 00 00'), 1)).toThrow(DecodeError);
  });
});

describe('the delayed member', () => {
  const job = encodeEnvelope({ ...base, attempt: 0 });
  // As in a reply: with other bytes around it.
  const at = { source: Buffer.concat([hex('ff ff'), job, hex('ff')]), from: 2, to: 2 + job.length };
  const member = (name: string, attempt: number): string => {
    const buffer = Buffer.alloc(Buffer.byteLength(name) + job.length + 13 + 3);
    return buffer.subarray(3, writeDelayedMember(buffer, 3, name, at, attempt)).toString('hex');
  };

  test.each([
    ['welcome', `07000000 ${ascii('welcome')}`],
    ['', '00000000'],
    ['ñ', '02000000 c3b1'],
    ['x'.repeat(256), `00010000 ${ascii('x'.repeat(256))}`],
  ])('begins with the length of the name, little-endian: %j', (name, front) => {
    expect(member(name, 0)).toBe(Buffer.concat([hex(front), job]).toString('hex'));
  });

  test.each([1, 200, 70_000])('has the given attempt: %i', (attempt) => {
    const again = encodeEnvelope({ ...base, attempt });
    expect(member('a', attempt)).toBe(Buffer.concat([hex('01000000 61'), again]).toString('hex'));
  });
});

describe('the map behind a Job', () => {
  // {"rpc":{"reply":true}}
  const extras = hex(`81 a3 ${ascii('rpc')} 81 a5 ${ascii('reply')} c3`);
  const retry = { maxAttempts: 5 };

  test.each([{ ...base }, { ...base, retry }])('follows its last byte', (envelope) => {
    const plain = encodeEnvelope(envelope);
    const bytes = encodeEnvelope({ ...envelope, extras });
    expect(bytes).toEqual(Buffer.concat([plain, extras]));
    expect(decodeEnvelope(bytes)).toEqual(decodeEnvelope(plain));
    expect(locateJob(bytes).jobTo).toBe(plain.length);
    expect(locateJob(plain).jobTo).toBe(plain.length);
  });

  test('does not change with the attempt counter', () => {
    const bytes = encodeEnvelope({ ...base, retry, extras });
    const changed = encodeEnvelope({ ...base, retry, extras, attempt: 300 });
    expect(withAttempt(bytes, 300)).toEqual(changed);
    const member = Buffer.alloc(300);
    const end = writeDelayedMember(member, 0, 'n', { source: bytes, from: 0, to: bytes.length }, 300);
    expect(member.subarray(5, end)).toEqual(changed);
  });

  test.each(['00', 'c0', '90', 'a0', 'c3 80'])('is ignored if it is no map: %s', (other) => {
    const plain = encodeEnvelope(base);
    const bytes = Buffer.concat([plain, hex(other)]);
    expect(decodeEnvelope(bytes)).toEqual(decodeEnvelope(plain));
    expect(readExtras(bytes, plain.length)).toBeUndefined();
  });
});
