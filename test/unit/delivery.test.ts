import { describe, expect, test } from 'vitest';
import {
  boundsOf,
  gapsOf,
  numberPlaces,
  readDelivery,
  readMember,
  readNamed,
  toDelivery,
} from '../../lib/engine/worker/lease/delivery.js';

const bulk = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`$${String(bytes.length)}\r\n`), bytes, Buffer.from('\r\n')]);
};

/** The same entry, as ioredis decodes it and as it stands in a reply. */
function both(id: string, ...fields: (string | Buffer)[]) {
  const before = Buffer.from('*2\r\n');
  const head = Buffer.concat([before, bulk(id), Buffer.from(`*${String(fields.length)}\r\n`)]);
  const idFrom = before.length + `$${String(id.length)}\r\n`.length;
  const source = Buffer.concat([head, ...fields.map(bulk), Buffer.from('*2\r\n')]);
  return [
    toDelivery([Buffer.from(id), fields.map((field) => Buffer.from(field))], 0),
    readDelivery(source, idFrom, idFrom + id.length, fields.length, head.length),
  ] as const;
}

const named = (id: string) => toDelivery([Buffer.from(id), []], 0);

describe('an entry, decoded or read where it stands', () => {
  test.each([
    ['all fields', ['d', 'bytes', 'n', 'send', 'u', '3600000']],
    ['fields of others', ['x', '1', 'dd', 'no', 'd', 'bytes', '', 'empty']],
    ['no payload', ['n', 'send']],
    ['no fields', []],
    ['an odd field', ['d', 'bytes', 'n']],
    ['an empty payload', ['d', '']],
    ['a name of 300 bytes', ['d', 'x', 'n', 'ñ'.repeat(150)]],
    ['a name that is no UTF-8', ['d', 'x', 'n', Buffer.from([0xff, 0xfe])]],
    ['a time that is no number', ['d', 'x', 'u', 'soon']],
    ['a time of 30 digits', ['d', 'x', 'u', '1'.repeat(30)]],
    ['line ends in the payload', ['d', '\r\n$3\r\nabc\r\n', 'n', 'a\r\nb']],
  ])('%s', (_, fields) => {
    const [decoded, read] = both('1700000000000-12', ...fields);
    expect(read.entryId).toBe('1700000000000-12');
    expect(read.entryId).toBe(decoded.entryId);
    expect(read.bytes).toEqual(decoded.bytes);
    expect(read.name).toBe(decoded.name);
    expect(read.uniqueMs).toBe(decoded.uniqueMs);
  });

  test('names of one length are told apart', () => {
    expect(both('1-1', 'd', '', 'n', 'aaa')[1].name).toBe('aaa');
    expect(both('1-2', 'd', '', 'n', 'aab')[1].name).toBe('aab');
    expect(both('1-3', 'd', '')[1].name).toBe('');
    expect(both('1-4', 'd', '', 'n', 'aab')[1].name).toBe('aab');
  });
});

test('a job that comes as its bytes and its name', () => {
  const source = Buffer.from('$3\r\n1-1\r\n$5\r\nbytes\r\n$5\r\nseñd\r\n');
  const delivery = readNamed(source, 4, 7, 13, 18, 24, 29);
  expect(delivery).toMatchObject({ entryId: '1-1', name: 'señd', uniqueMs: undefined, roomHead: undefined });
  expect(delivery.bytes?.toString()).toBe('bytes');
});

describe('a job that comes as it was in the room', () => {
  const head = (group: string, keepMs: number): Buffer => {
    const bytes = Buffer.alloc(22 + Buffer.byteLength(group));
    bytes.writeUInt16BE(Buffer.byteLength(group));
    bytes.write(group, 2);
    bytes.writeDoubleBE(keepMs, bytes.length - 8);
    return bytes;
  };
  const named = (name: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(name));
    return Buffer.concat([length, Buffer.from(name)]);
  };
  const read = (member: Buffer) => {
    const source = Buffer.concat([Buffer.from('$3\r\n1-1\r\n'), member, Buffer.from('\r\n')]);
    return readMember(source, 4, 7, 9, 9 + member.length);
  };

  test.each([
    ['', -1, 'send', 'bytes', undefined],
    ['tenant\nñ', 0, '', '', '0'],
    ['g'.repeat(256), 3_600_000, 'ñ', '\r\n$3', '3600000'],
  ])('of group %j', (group, keepMs, name, bytes, uniqueMs) => {
    const delivery = read(Buffer.concat([head(group, keepMs), named(name), Buffer.from(bytes)]));
    expect(delivery).toMatchObject({ entryId: '1-1', name, uniqueMs, roomHead: head(group, keepMs) });
    expect(delivery.bytes?.toString()).toBe(bytes);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from('x')],
    ['text', Buffer.from('somebody else wrote this')],
    ['a member that is cut', Buffer.concat([head('g', 0), named('send').subarray(0, 6)])],
  ])('%s is a Job without a name', (_, member) => {
    const delivery = read(member);
    expect(delivery).toMatchObject({ entryId: '1-1', name: '', uniqueMs: undefined, roomHead: undefined });
    expect(delivery.bytes).toEqual(member);
  });
});

test('the bounds of a batch are by number, not by text', () => {
  expect(boundsOf(['5-10', '5-9', '10-0', '0-1'].map(named))).toEqual(['0-1', '10-0']);
  expect(boundsOf(['5-9'].map(named))).toEqual(['5-9', '5-9']);
  expect(boundsOf(['99-10', '100-1', '9-100'].map(named))).toEqual(['9-100', '100-1']);
  const ascending = ['1700000000000-2', '1700000000000-10', '1700000000001-0', '18446744073709551615-0'];
  expect(boundsOf([...ascending].reverse().map(named))).toEqual([ascending[0], ascending.at(-1)]);
});

describe('the gaps of a batch', () => {
  /** Entries 1-0, 2-0, … of reads of so many. */
  const reads = (...sizes: number[]) => {
    let place = 0;
    let id = 0;
    return sizes.map((size) => {
      const read = Array.from({ length: size }, () => named(`${String(++id)}-0`));
      place = numberPlaces(read, place);
      return read;
    });
  };

  test('none in a read, in whatever order its entries end', () => {
    const [read = []] = reads(20);
    expect(gapsOf(read)).toBe('');
    expect(gapsOf([...read].reverse())).toBe('');
    expect(gapsOf(read.slice(3, 9))).toBe('');
    expect(gapsOf(read.slice(4, 5))).toBe('');
  });

  test('between reads, and where entries are not of the batch', () => {
    const [one = [], two = [], three = []] = reads(5, 5, 5);
    expect(gapsOf([...one, ...two])).toBe('5-0 6-0');
    expect(gapsOf([...two, ...one, ...three])).toBe('5-0 6-0 10-0 11-0');
    expect(gapsOf([...one.slice(0, 2), ...one.slice(3)])).toBe('2-0 4-0');
    expect(gapsOf([...one.slice(0, 3), ...two.slice(2)])).toBe('3-0 8-0');
    expect(gapsOf([...one, ...three])).toBe('5-0 11-0');
  });

  test('not known where they are many, or where no read brought an entry', () => {
    const [read = []] = reads(40);
    expect(gapsOf(read.filter((_, index) => index % 2 === 0))).toBe('-');
    expect(gapsOf([...read, named('99-0')])).toBe('-');
    expect(gapsOf([named('99-0')])).toBe('-');
  });
});
