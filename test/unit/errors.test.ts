import { describe, expect, test } from 'vitest';
import * as errors from '../../lib/engine/base/errors.js';

const { ERROR_CODES, ChasquiError } = errors;

const made: [string, Error & { code: string }, string, abstract new (message: string) => Error][] = [
  ['ConnectionError', new errors.ConnectionError('x'), 'CMQ-001', ChasquiError],
  ['EncodeError', new errors.EncodeError('x'), 'CMQ-002', ChasquiError],
  ['DecodeError', new errors.DecodeError('x'), 'CMQ-003', ChasquiError],
  ['ConfigError', new errors.ConfigError('x'), 'CMQ-004', ChasquiError],
  ['RangeError', new errors.ConfigRangeError('x'), 'CMQ-004', RangeError],
  ['TypeError', new errors.ConfigTypeError('x'), 'CMQ-004', TypeError],
  ['ShutdownError', new errors.ShutdownError('x'), 'CMQ-005', ChasquiError],
  ['QueueFullError', new errors.QueueFullError('q', 10, 10), 'CMQ-006', ChasquiError],
  ['LeaseLostError', new errors.LeaseLostError('x'), 'CMQ-007', ChasquiError],
  ['DurabilityError', new errors.DurabilityError('x'), 'CMQ-008', ChasquiError],
  ['DataLostError', new errors.DataLostError('x'), 'CMQ-105', ChasquiError],
  ['LostEntryError', new errors.LostEntryError('x'), 'CMQ-009', ChasquiError],
  ['UnrecoverableError', new errors.UnrecoverableError('x'), 'CMQ-011', ChasquiError],
  ['JobCancelledError', new errors.JobCancelledError('x'), 'CMQ-012', ChasquiError],
  ['UnacceptedJobError', new errors.UnacceptedJobError('x'), 'CMQ-013', ChasquiError],
  ['JobTimeoutError', new errors.JobTimeoutError('1', 'q', 5), 'CMQ-014', ChasquiError],
  ['DelayedError', new errors.DelayedError(), 'CMQ-015', ChasquiError],
  ['BatchResultError', new errors.BatchResultError('x'), 'CMQ-018', errors.UnrecoverableError],
  ['PayloadTooLargeError', new errors.PayloadTooLargeError('x'), 'CMQ-023', ChasquiError],
  ['NotSupportedError', new errors.NotSupportedError('x'), 'CMQ-100', ChasquiError],
  ['UnacceptedJobError', new errors.UnacceptedJobError('x'), errors.ERROR_CODES.unaccepted, ChasquiError],
  ['RateLimitError', new errors.RateLimitError('x'), 'CMQ-101', ChasquiError],
  ['WaitForResultTimeoutError', new errors.WaitForResultTimeoutError('x'), 'CMQ-102', ChasquiError],
  ['JobFailedError', new errors.JobFailedError('x'), 'CMQ-103', ChasquiError],
  ['QueueNotFoundError', new errors.QueueNotFoundError('q', [], 0, 'host:6379'), 'CMQ-110', ChasquiError],
  ['JobGoneError', new errors.JobGoneError('1', 'q', 'removed'), 'CMQ-104', ChasquiError],
  ['JobNotFoundError', new errors.JobNotFoundError('1', 'q', 'promote'), 'CMQ-106', ChasquiError],
  ['JobStateError', new errors.JobStateError('1', 'q', 'active', 'promote', 'x'), 'CMQ-107', ChasquiError],
  ['CursorError', new errors.CursorError('x'), 'CMQ-109', ChasquiError],
  ['JobsActiveError', new errors.JobsActiveError('q', 3), 'CMQ-108', ChasquiError],
  ['ScheduleNotFoundError', new errors.ScheduleNotFoundError('k', 'q', 'x'), 'CMQ-111', ChasquiError],
  ['GroupFullError', new errors.GroupFullError('q', 'g', 3, 3), 'CMQ-112', ChasquiError],
];

describe('errors', () => {
  test.each(made)('%s has its name, code and class', (name, error, code, base) => {
    expect(error).toMatchObject({ name, code });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(base);
    expect(error.stack).toContain('errors.test.ts');
  });

  test('every class that the module exports is in the table above', () => {
    const classes = Object.entries(errors)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error)
      .map(([name]) => name);
    const covered = made.map(([, error]) => error.constructor.name);
    expect(classes.filter((name) => name !== 'ChasquiError' && !covered.includes(name))).toEqual([]);
  });

  test('codes are distinct and have one form', () => {
    const codes = Object.values(ERROR_CODES);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^CMQ-\d{3}$/);
  });

  test('a cause is kept', () => {
    const cause = new Error('socket');
    expect(new errors.ConnectionError('x', { cause }).cause).toBe(cause);
  });

  test('a lost reply differs from a refusal', () => {
    expect(new errors.ConnectionError('x').unknownOutcome).toBe(false);
    expect(new errors.ConnectionError('x', { unknownOutcome: true }).unknownOutcome).toBe(true);
  });

  test('an unknown queue names the nearest ones, or says that there is none', () => {
    const unknown = (nearest: string[], queues: number): string =>
      new errors.QueueNotFoundError('mial', nearest, queues, 'host:6379').message;
    expect(unknown(['mail', 'mails'], 9)).toBe(
      'Redis at host:6379 has no queue "mial". Did you mean "mail", "mails"?',
    );
    expect(unknown([], 9)).toMatch(/It has 9 other queues: run/);
    expect(unknown([], 0)).toMatch(/no queue at all: check the address and the number of the database\.$/);
  });

  test('a full queue names its length and the fix', () => {
    const error = new errors.QueueFullError('mail', 10, 10);
    expect(error).toMatchObject({ queue: 'mail', length: 10, maxStreamLen: 10 });
    expect(error.message).toMatch(
      /"mail" is full: it has 10 .*maxStreamLen is 10.*Nothing was added.*Add workers/,
    );
  });
});

describe('isUnrecoverable', () => {
  class Sub extends errors.UnrecoverableError {}
  test.each<[unknown, boolean]>([
    [new errors.UnrecoverableError(), true],
    [new Sub(), true],
    [Object.assign(new Error(), { name: 'UnrecoverableError' }), true],
    [{ name: 'UnrecoverableError' }, true],
    [new Error('UnrecoverableError'), false],
    [new errors.ConfigError('x'), false],
    ['UnrecoverableError', false],
    [null, false],
    [undefined, false],
    [Object.create(null), false],
    [Object.create({ constructor: undefined }), false],
  ])('case %#', (error, expected) => {
    expect(errors.isUnrecoverable(error)).toBe(expected);
  });
});
