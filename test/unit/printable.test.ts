import { expect, test } from 'vitest';
import { ConfigError, ConfigTypeError, JobFailedError, UnrecoverableError } from '../../lib/engine/index.js';
import { ConfigRangeError } from '../../lib/engine/base/errors.js';
import { UnhandledJobError } from '../../lib/nest/errors.js';
import { printable } from '../../lib/engine/base/printable.js';

test.each<[string, string]>([
  ['plain text, ünïcode, 日本, 👩‍👩‍👧', 'plain text, ünïcode, 日本, 👩‍👩‍👧'],
  ['C:\\new\\table', 'C:\\new\\table'],
  ['a\nb\r\nc\td', 'a\\nb\\r\\nc\\td'],
  ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
  ['\u009b31mred', '\\x9b31mred'],
  ['bell\u0007 del\u007f nul\u0000', 'bell\\x07 del\\x7f nul\\x00'],
  ['next\u0085line', 'next\\x85line'],
  ['\u2028\u2029', '\\u2028\\u2029'],
  ['user\u202egnp.exe\u2066\u2069', 'user\\u202egnp.exe\\u2066\\u2069'],
  ['\u200e\u200f\u061c\ufeff', '\\u200e\\u200f\\u061c\\ufeff'],
])('%# %j', (text, expected) => {
  expect(printable(text)).toBe(expected);
});

test('no character that a terminal interprets is left', () => {
  const all = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).join('');
  expect(printable(all)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
});

test.each([
  new ConfigError('a\n\u001b[31m'),
  new ConfigTypeError('a\n\u001b[31m'),
  new ConfigRangeError('a\n\u001b[31m'),
  new JobFailedError('a\n\u001b[31m'),
  new UnhandledJobError('mail', 'a\n\u001b[31m', [], undefined),
])('messages of our errors are escaped: %#', ({ message }) => {
  expect(message).toContain('a\\n\\x1b[31m');
  expect(message).not.toMatch(/\p{Cc}/u);
});

test('the message of an UnrecoverableError is not escaped', () => {
  class Mine extends UnrecoverableError {}
  expect([new UnrecoverableError('a\nb').message, new Mine('a\nb').message]).toEqual(['a\nb', 'a\nb']);
});
