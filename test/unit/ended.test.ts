import { expect, test } from 'vitest';
import { readEnded } from '../../lib/engine/results/ended.js';

const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const frame = (id: string, length: number, value = ''): Buffer =>
  Buffer.concat([u16(Buffer.byteLength(id)), Buffer.from(id), u32(length), Buffer.from(value)]);

function told(how: string, frames: Buffer, awaited: (jobId: string) => boolean = () => true): unknown[] {
  const heard: unknown[] = [];
  readEnded([Buffer.from(how), frames], {
    isAwaited: awaited,
    completed: (jobId, value) => heard.push([jobId, Buffer.isBuffer(value) ? value.toString() : value]),
    died: (jobId, reason) => heard.push([jobId, 'died', reason]),
  });
  return heard;
}

test('tells of the awaited jobs of an entry: with their value, without one, or where it is stored', () => {
  const frames = Buffer.concat([
    frame('a', 3, 'one'),
    frame('ñ', 0),
    frame('not awaited', 5, 'value'),
    frame('large', 0xffffffff),
    frame('z', 1, '2'),
  ]);
  expect(told('completed', frames, (id) => id !== 'not awaited')).toEqual([
    ['a', 'one'],
    ['ñ', undefined],
    ['large', 'stored'],
    ['z', '2'],
  ]);
});

test('tells why a job has died', () => {
  const frames = Buffer.concat([
    frame('a', 13, 'unrecoverable'),
    frame('large', 0xffffffff),
    frame('b', 7, 'unknown'),
  ]);
  expect(told('dead', frames)).toEqual([
    ['a', 'died', 'unrecoverable'],
    ['large', 'died', undefined],
    ['b', 'died', 'unknown'],
  ]);
});

test('an entry without fields tells nothing', () => {
  expect(() => {
    readEnded([], { isAwaited: () => true, completed: expect.fail, died: expect.fail });
  }).not.toThrow();
});
