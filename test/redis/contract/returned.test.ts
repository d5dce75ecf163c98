import { createContext, runInContext } from 'node:vm';
import { of } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ConfigError, Consumer, Worker } from '../../../lib/engine/index.js';
import { errorIn } from '../../../lib/engine/worker/run/returned.js';
import type { Processor } from '../../../lib/engine/index.js';
import { NAME, next, useKit } from './kit.js';

const redis = useKit();

class Denied extends Error {}

const thrown = (): never => {
  throw new Error('looked at');
};

function* steps(): Generator<number> {
  yield 1;
}
async function* asyncSteps(): AsyncGenerator<number> {
  yield Promise.resolve(1);
}
/** What a handler may return, and what the attempt then fails with; undefined where it has completed. */
const RETURNED: Record<string, [value: () => unknown, error: string | undefined]> = {
  'an error': [() => new Denied('no'), 'no'],
  'a promise of an error': [async () => Promise.resolve(new Denied('no')), 'no'],
  'an error of another realm': [() => runInContext('new TypeError("no")', createContext()) as unknown, 'no'],
  'an AbortError': [() => new DOMException('no', 'AbortError'), 'no'],
  'a generator': [steps, 'iterator'],
  'an async generator': [asyncSteps, 'iterator'],
  'a promise of a generator': [async () => Promise.resolve(steps()), 'iterator'],
  'the iterator of an array': [() => [1][Symbol.iterator](), 'iterator'],
  'an Observable': [() => of(1), 'Observable'],
  'what looks like an error': [() => ({ name: 'Error', message: 'no', stack: '' }), undefined],
  'a list': [() => [new Denied('no')], undefined],
  'a map': [() => new Map([['a', 1]]), undefined],
  'what has a next': [() => ({ next: 2 }), undefined],
};

test.each(Object.entries(RETURNED))('a handler that returns %s', async (_, [value, message]) => {
  const worker = redis.worker(() => value(), { maxAttempts: 1 });
  const ended = Promise.race([next(worker, 'completed'), next(worker, 'failed')]);
  await redis.queue().add('a', 1);
  await ended;
  await worker.close();
  const letters = await redis.queue().peekDlq(1);
  if (message === undefined) expect(letters).toEqual([]);
  else expect(letters).toMatchObject([{ detail: expect.stringContaining(message) as string }]);
});

test.each<[string, object]>([
  ['in its properties', new Proxy({}, { get: thrown, has: () => true })],
  ['in its prototype', new Proxy({}, { getPrototypeOf: thrown })],
  ['in a getter', Object.defineProperty({}, 'next', { get: thrown })],
])('a value that throws %s when it is looked at is no error', (_, value) => {
  expect(errorIn(value)).toBeUndefined();
});

describe('a generator function, whose body nobody would run, is refused', () => {
  test.each([steps, asyncSteps])('%o', async (generator) => {
    const { connection } = redis;
    const make = (): Worker => new Worker(NAME, generator as Processor, { connection });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow('must not be a generator function');
    const consumer = new Consumer(connection, { queueName: NAME });
    await expect(consumer.run(generator)).rejects.toThrow('must not be a generator function');
  });
});
