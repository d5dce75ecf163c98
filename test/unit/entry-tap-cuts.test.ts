import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { Decoder, RESP_TYPES } from 'ioredis/built/resp/decoder.js';
import { expect, test } from 'vitest';
import { EntryTap } from '../../lib/redis/entry-tap.js';

/* The tap and the decoder of ioredis on one connection, one call after the other, with replies that are cut anywhere. */

const bulk = (text: string): string => `$${String(text.length)}\r\n${text}\r\n`;
const array = (items: readonly string[]): string => `*${String(items.length)}\r\n${items.join('')}`;
const entry = (id: string): string => array([bulk(id), array([bulk('d'), bulk('1')])]);

interface Call {
  /** Other calls are not announced to the tap. */
  readonly isRead: boolean;
  readonly bytes: string;
  /** Ids of the entries that the tap finds. */
  readonly ids?: readonly string[];
  /** What ioredis gets where the tap finds none. */
  readonly value?: unknown;
}

const nil = (bytes: string): Call => ({ isRead: true, bytes, value: null });
const failed = (text: string): Call => ({ isRead: true, bytes: `-${text}\r\n`, value: `error ${text}` });
const entries = (protocol: 2 | 3, ids: readonly string[]): Call => {
  const all = array(ids.map(entry));
  const one = bulk('work') + all;
  return { isRead: true, bytes: protocol === 3 ? `%1\r\n${one}` : `*1\r\n*2\r\n${one}`, ids };
};
const READS: readonly Call[] = [
  nil('*-1\r\n'),
  nil('_\r\n'),
  // Of a script that the server does not know, and of a stream that was deleted: the next call follows at once.
  failed('NOSCRIPT No matching script.'),
  failed('NOGROUP No such key'),
  entries(2, ['1-1']),
  entries(2, ['1-1', '1-2']),
  entries(3, ['1-1']),
  entries(3, []),
  entries(2, []),
];
const OTHERS: readonly Call[] = [
  { isRead: false, bytes: ':11\r\n', value: 11 },
  { isRead: false, bytes: '+OK\r\n', value: 'OK' },
  { isRead: false, bytes: '$-1\r\n', value: null },
  { isRead: false, bytes: '*-1\r\n', value: null },
  { isRead: false, bytes: bulk('11\r\n'), value: '11\r\n' },
];

/** Makes the calls; the bytes arrive in pieces of these sizes. Returns what each call has brought. */
function outcomes(calls: readonly Call[], sizes: readonly number[]): unknown[] {
  const socket = Object.assign(new EventEmitter(), {
    destroy: (error: Error) => {
      throw error;
    },
  });
  const replies: unknown[] = [];
  const decoder = new Decoder({
    getTypeMapping: () => ({ [RESP_TYPES.SIMPLE_STRING]: Buffer, [RESP_TYPES.BLOB_STRING]: Buffer }),
    onReply: (reply: unknown) => replies.push(Buffer.isBuffer(reply) ? reply.toString() : reply),
    onErrorReply: (error: Error) => replies.push(`error ${error.message}`),
    onPush: () => undefined,
  });
  socket.on('data', (chunk: Buffer) => {
    decoder.write(chunk);
  });
  const tap = EntryTap.on<string>(socket as unknown as Socket, {
    key: 'work',
    make: (source, from, to) => source.toString('latin1', from, to),
    asStrings: new Map(),
  });
  if (!tap) throw new Error('no tap');
  const brought: unknown[] = [];
  let sent = 0;
  let wire = '';
  const send = (): void => {
    const call = calls[sent++];
    if (call?.isRead) tap.arm();
    wire += call?.bytes ?? '';
  };
  send();
  for (let turn = 0; wire !== ''; turn += 1) {
    const size = sizes[turn % sizes.length] as number;
    socket.emit('data', Buffer.from(wire.slice(0, size)));
    wire = wire.slice(size);
    // ioredis ends a call, and the next one is sent before the loop reads from the socket again.
    if (replies.length === 0) continue;
    expect(replies).toHaveLength(1);
    const [value] = replies.splice(0);
    const found = calls[sent - 1]?.isRead ? tap.finish() : undefined;
    brought.push(found && value === null ? found.work : value);
    send();
  }
  return brought;
}

test('whatever the cuts, the tap finds the entries, and ioredis gets all else', () => {
  const call = fc.constantFrom(...READS, ...OTHERS);
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 6 }), sizes, (calls, cut) => {
      expect(outcomes(calls, cut)).toEqual(calls.map(({ ids, value }) => ids ?? value));
    }),
    { numRuns: 1_000 },
  );
});

test.each(READS)('a read after every other call, at every cut: $bytes', (read) => {
  for (const before of [...READS, ...OTHERS]) {
    const length = before.bytes.length;
    for (let at = Math.max(1, length - 6); at < length; at += 1) {
      for (const rest of [1, 2, 100])
        expect(outcomes([before, read], [at, ...Array<number>(99).fill(rest)])).toEqual(
          [before, read].map(({ ids, value }) => ids ?? value),
        );
    }
  }
});
