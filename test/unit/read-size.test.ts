import { expect, test } from 'vitest';
import { ReadSize } from '../../lib/engine/connection/read-size.js';

const MB = 1024 * 1024;

test('the first read is a small one, and small entries make the next ones large', () => {
  const size = new ReadSize();
  expect(size.next(400)).toBe(16);
  size.brought(16, 16 * 100);
  expect(size.next(400)).toBe(400);
});

test('large entries count at once, and are forgotten slowly', () => {
  const size = new ReadSize();
  size.brought(100, 100 * 100);
  size.brought(100, 100 * MB);
  expect(size.next(400)).toBe(8);
  for (let i = 0; i < 5; i++) size.brought(8, 8 * 100);
  expect(size.next(400)).toBeLessThan(20);
  for (let i = 0; i < 100; i++) size.brought(8, 8 * 100);
  expect(size.next(400)).toBe(400);
});

test('an entry that is larger than a read should be is read alone', () => {
  const size = new ReadSize();
  size.brought(1, 500 * MB);
  expect(size.next(400)).toBe(1);
});

test('a read that is cut makes the next ones smaller, down to one, and those that succeed larger again', () => {
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

test('a read that brings nothing is an answer, and says nothing of sizes', () => {
  const size = new ReadSize();
  size.cut();
  size.brought(0, 0);
  expect(size.cuts).toBe(0);
  expect(size.next(400)).toBe(4);
});
