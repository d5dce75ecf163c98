import { expect, test } from 'vitest';
import { ReadSize } from '../../lib/engine/connection/read-size.js';

const MB = 1024 * 1024;

test('the first read is small, and small entries make the next reads large', () => {
  const size = new ReadSize();
  expect(size.next(400)).toBe(16);
  size.brought(16, 16 * 100);
  expect(size.next(400)).toBe(400);
});

test('the size of large entries counts at once and decreases slowly', () => {
  const size = new ReadSize();
  size.brought(100, 100 * 100);
  size.brought(100, 100 * MB);
  expect(size.next(400)).toBe(8);
  for (let i = 0; i < 5; i++) size.brought(8, 8 * 100);
  expect(size.next(400)).toBeLessThan(20);
  for (let i = 0; i < 100; i++) size.brought(8, 8 * 100);
  expect(size.next(400)).toBe(400);
});

test('an entry that is larger than a read is read alone', () => {
  const size = new ReadSize();
  size.brought(1, 500 * MB);
  expect(size.next(400)).toBe(1);
});

test('a cut read makes the next reads smaller, down to one; a successful read makes them larger again', () => {
  const size = new ReadSize();
  size.brought(16, 1600);
  expect(size.next(400)).toBe(400);
  size.cut();
  expect(size.next(400)).toBe(100);
  for (let i = 0; i < 10; i++) {
    size.cut();
    size.next(400);
  }
  expect(size.next(400)).toBe(1);
  expect(size.cuts).toBe(11);
  expect(size.cutMessage('127.0.0.1:6379', 'jobs')).toContain('"client-output-buffer-limit normal"');
  size.brought(1, 100);
  expect(size.cuts).toBe(0);
  expect(size.next(400)).toBe(2);
});

test('an empty read ends a series of cuts and does not change the size', () => {
  const size = new ReadSize();
  size.cut();
  size.brought(0, 0);
  expect(size.cuts).toBe(0);
  expect(size.next(400)).toBe(4);
});
