import { expect, test } from 'vitest';
import { readEndedEntry } from '../../lib/engine/results/ended-entry.js';

const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const frame = (id: string, length: number, value = ''): Buffer =>
  Buffer.concat([u16(Buffer.byteLength(id)), Buffer.from(id), u32(length), Buffer.from(value)]);

function read(how: string, frames: Buffer, awaited: (jobId: string) => boolean = () => true): unknown[] {
  const calls: unknown[] = [];
  readEndedEntry([Buffer.from(how), frames], {
    isAwaited: awaited,
    completed: (jobId, value) => calls.push([jobId, Buffer.isBuffer(value) ? value.toString() : value]),
    failed: (jobId, reason) => calls.push([jobId, 'failed', reason]),
  });
  return calls;
}

test('an entry reports the awaited jobs: with their value, without a value, or as stored elsewhere', () => {
  const frames = Buffer.concat([
    frame('a', 3, 'one'),
    frame('ñ', 0),
    frame('not awaited', 5, 'value'),
    frame('large', 0xffffffff),
    frame('z', 1, '2'),
  ]);
  expect(read('completed', frames, (id) => id !== 'not awaited')).toEqual([
    ['a', 'one'],
    ['ñ', undefined],
    ['large', 'stored'],
    ['z', '2'],
  ]);
});

test('an entry says why a job has failed', () => {
  const frames = Buffer.concat([
    frame('a', 13, 'unrecoverable'),
    frame('large', 0xffffffff),
    frame('b', 7, 'unknown'),
  ]);
  expect(read('dead', frames)).toEqual([
    ['a', 'failed', 'unrecoverable'],
    ['large', 'failed', undefined],
    ['b', 'failed', 'unknown'],
  ]);
});

test('an entry without fields is ignored', () => {
  expect(() => {
    readEndedEntry([], { isAwaited: () => true, completed: expect.fail, failed: expect.fail });
  }).not.toThrow();
});
