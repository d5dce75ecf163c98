import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { EntryTap } from '../../lib/redis/entry-tap.js';
import type { EntriesAsStrings, TappedRead } from '../../lib/redis/entry-tap.js';

const bulk = (text: string): string => `$${String(Buffer.byteLength(text))}\r\n${text}\r\n`;
const array = (items: readonly string[]): string => `*${String(items.length)}\r\n${items.join('')}`;
const entry = (id: string, ...fields: string[]): string => array([bulk(id), array(fields.map(bulk))]);
const resp2 = (streams: [string, string[]][]): string =>
  array(streams.map(([key, entries]) => array([bulk(key), array(entries)])));
const resp3 = (streams: [string, string[]][]): string =>
  `%${String(streams.length)}\r\n${streams.map(([key, entries]) => bulk(key) + array(entries)).join('')}`;

interface Work {
  id: string;
  fields: number;
  rest: string;
}

const asStrings = (strings: 2 | 3): EntriesAsStrings<Work> => ({
  strings,
  make: (source, idFrom, idTo, from, to, lastFrom, lastTo) => ({
    id: source.toString('latin1', idFrom, idTo),
    fields: -strings,
    rest: `${source.toString('utf8', from, to)}|${source.toString('utf8', lastFrom, lastTo)}`,
  }),
});

/** A socket as ioredis leaves it: with one listener of its own. */
class Wire extends EventEmitter {
  readonly passed: string[] = [];
  destroyedBy: Error | undefined;
  readonly tap: EntryTap<Work>;

  constructor() {
    super();
    this.on('data', (chunk: Buffer) => this.passed.push(chunk.toString()));
    const tap = EntryTap.on<Work>(this as unknown as Socket, {
      key: 'work',
      make: (source, idFrom, idTo, fields, at) => ({
        id: source.toString('latin1', idFrom, idTo),
        fields,
        rest: source.toString('latin1', at, at + 8),
      }),
      asStrings: new Map([
        ['pairs', asStrings(2)],
        ['triples', asStrings(3)],
      ]),
    });
    if (!tap) throw new Error('no tap');
    this.tap = tap;
  }

  destroy(error: Error): void {
    this.destroyedBy = error;
  }

  /** Arms, sends in pieces of so many bytes, and takes. */
  read(reply: string, piece = reply.length): TappedRead<Work> | undefined {
    this.tap.arm();
    const bytes = Buffer.from(reply);
    for (let from = 0; from < bytes.length; from += piece)
      this.emit('data', bytes.subarray(from, from + piece));
    return this.tap.finish();
  }
}

const streams: [string, string[]][] = [
  ['work', [entry('1-1', 'd', 'one', 'n', 'send'), entry('1-2', 'd', 'x'.repeat(1_000)), entry('1-3')]],
  ['wake', [entry('5-0', 'due', '17')]],
];
const work = [
  { id: '1-1', fields: 4, rest: '$1\r\nd\r\n$' },
  { id: '1-2', fields: 2, rest: '$1\r\nd\r\n$' },
  { id: '1-3', fields: 0 },
];
const others = [['wake', [[Buffer.from('5-0'), [Buffer.from('due'), Buffer.from('17')]]]]];

describe.each([
  ['RESP2', resp2(streams)],
  ['RESP3', resp3(streams)],
])('%s', (_, reply) => {
  test.each([reply.length, 1, 2, 3, 7, 64, 1_000])('in pieces of %i bytes', (piece) => {
    const wire = new Wire();
    const read = wire.read(reply, piece);
    expect(read?.work).toMatchObject(work);
    expect(read?.others).toEqual(others);
    // ioredis is told that nothing came, so the command ends.
    expect(wire.passed).toEqual(['*-1\r\n']);
  });

  test('one reply after the other', () => {
    const wire = new Wire();
    for (let i = 0; i < 3; i++) expect(wire.read(reply, 50)?.work).toHaveLength(3);
    expect(wire.passed).toEqual(['*-1\r\n', '*-1\r\n', '*-1\r\n']);
  });

  test('only the work stream, only another', () => {
    const wire = new Wire();
    const write = reply.startsWith('%') ? resp3 : resp2;
    expect(wire.read(write([streams[0] as never]))).toMatchObject({ work, others: [] });
    expect(wire.read(write([streams[1] as never]))).toEqual({ work: [], parts: [], others });
  });

  test('the work stream in parts: where each further one begins', () => {
    const wire = new Wire();
    const [stream] = streams;
    expect(wire.read(resp2([stream, stream] as never))).toMatchObject({
      work: [...work, ...work],
      parts: [work.length],
    });
  });

  test('what follows the reply is passed on', () => {
    const wire = new Wire();
    expect(wire.read(`${reply}+OK\r\n`)?.work).toHaveLength(3);
    expect(wire.passed).toEqual(['*-1\r\n', '+OK\r\n']);
  });
});

test.each(['*-1\r\n', '_\r\n', '-NOGROUP No such key\r\n', ':5\r\n', '+OK\r\n', '>2\r\n'])(
  'leaves %j to ioredis',
  (reply) => {
    const wire = new Wire();
    expect(wire.read(reply)).toBeUndefined();
    expect(wire.passed).toEqual([reply]);
  },
);

test.each(['*-1\r\n', '_\r\n'])('leaves %j in pieces to ioredis, as a whole', (reply) => {
  for (let piece = 1; piece < reply.length; piece++) {
    const wire = new Wire();
    expect(wire.read(reply, piece)).toBeUndefined();
    expect(wire.passed).toEqual([reply]);
    expect(wire.destroyedBy).toBeUndefined();
    expect(wire.read(resp2(streams), 1)?.work).toHaveLength(3);
  }
});

test('after an answer to something else, all is left to ioredis until it is armed again', () => {
  const wire = new Wire();
  wire.tap.arm();
  wire.emit('data', Buffer.from(':5\r\n'));
  wire.emit('data', Buffer.from(resp2(streams)));
  expect(wire.tap.finish()).toBeUndefined();
  expect(wire.passed).toEqual([':5\r\n', resp2(streams)]);
  expect(wire.read(resp2(streams))?.work).toHaveLength(3);
});

test('unarmed, it lets everything pass', () => {
  const wire = new Wire();
  wire.emit('data', Buffer.from(resp2(streams)));
  expect(wire.passed).toEqual([resp2(streams)]);
});

test.each(['*1\r\n+work\r\n', '*1\r\n*2\r\n$4\r\nwork\r\n*1\r\n:1\r\n', '*x\r\n'])(
  'gives the connection up where the reply is %j',
  (reply) => {
    const wire = new Wire();
    expect(wire.read(reply)).toBeUndefined();
    expect(wire.destroyedBy?.message).toContain('something other than entries');
  },
);

test('an entry of 8 MB in pieces of 64 KB', () => {
  const wire = new Wire();
  const big = 'y'.repeat(8 << 20);
  const read = wire.read(resp2([['work', [entry('1-1', 'd', 'a'), entry('1-2', 'd', big)]]]), 65_536);
  expect(read?.work).toMatchObject([{ id: '1-1' }, { id: '1-2' }]);
});

test.each([1, 7, 100, 10_000])('entries that come as strings, in pieces of %i bytes', (piece) => {
  const pairs = ['2-1', 'one\r\n$3', '2-2', '', '2-3', 'ñ'].map(bulk);
  const triples = ['3-1', 'one', 'send', '3-2', '', ''].map(bulk);
  const read = new Wire().read(
    resp2([
      ['work', [entry('1-1', 'd', 'a')]],
      ['pairs', pairs],
      ['triples', triples],
      ['gate', [entry('0-0', 'wait', '1')]],
      ['pairs', []],
    ]),
    piece,
  );
  expect(read?.work).toEqual([
    { id: '1-1', fields: 2, rest: '$1\r\nd\r\n$' },
    { id: '2-1', fields: -2, rest: 'one\r\n$3|one\r\n$3' },
    { id: '2-2', fields: -2, rest: '|' },
    { id: '2-3', fields: -2, rest: 'ñ|ñ' },
    { id: '3-1', fields: -3, rest: 'one|send' },
    { id: '3-2', fields: -3, rest: '|' },
  ]);
  expect(read?.parts.slice(0, 2)).toEqual([1, 4]);
  expect(read?.others).toHaveLength(1);
});

test('does nothing where somebody else listens too', () => {
  const socket = new EventEmitter();
  socket.on('data', () => undefined);
  socket.on('data', () => undefined);
  const of = { key: 'work', make: () => 0, asStrings: new Map() };
  expect(EntryTap.on(socket as unknown as Socket, of)).toBeUndefined();
  expect(EntryTap.on(undefined, of)).toBeUndefined();
  expect(socket.listenerCount('data')).toBe(2);
});
