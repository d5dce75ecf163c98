import { describe, expect, test } from 'vitest';
import { compareStreamIds, fieldsOf, streamsOf } from '../../lib/redis/replies.js';

describe('fieldsOf', () => {
  test.each<[string, unknown]>([
    ['a flat list (RESP2)', ['server', 'redis', 'version', '7.0.15']],
    ['buffers', [Buffer.from('server'), 'redis', Buffer.from('version'), '7.0.15']],
    [
      'a Map (RESP3)',
      new Map([
        ['server', 'redis'],
        ['version', '7.0.15'],
      ]),
    ],
    [
      'a Map with keys of buffers',
      new Map([
        [Buffer.from('server'), 'redis'],
        [Buffer.from('version'), '7.0.15'],
      ]),
    ],
    ['an object', { server: 'redis', version: '7.0.15' }],
  ])('%s', (_, reply) => {
    expect([...fieldsOf(reply)]).toEqual([
      ['server', 'redis'],
      ['version', '7.0.15'],
    ]);
  });

  test.each([null, undefined, 'OK', 5])('%o has none', (reply) => {
    expect(fieldsOf(reply).size).toBe(0);
  });
});

describe('streamsOf', () => {
  const entries = [['1-0', ['d', 'x']]];
  test.each<[string, unknown, unknown[]]>([
    ['nothing came', null, []],
    ['undefined', undefined, []],
    ['RESP2', [['k', entries]], [['k', entries]]],
    [
      'RESP2, two streams',
      [
        ['k', entries],
        ['l', []],
      ],
      [
        ['k', entries],
        ['l', []],
      ],
    ],
    [
      'RESP3 flattened',
      ['k', entries, 'l', entries],
      [
        ['k', entries],
        ['l', entries],
      ],
    ],
    ['a Map', new Map([['k', entries]]), [['k', entries]]],
    ['an object', { k: entries }, [['k', entries]]],
    ['empty', [], []],
  ])('%s', (_, reply, expected) => {
    expect(streamsOf(reply)).toEqual(expected);
  });
});

describe('compareStreamIds', () => {
  const ascending = [
    '0-0',
    '0-1',
    '5-0',
    '5-9',
    '5-10',
    '10-0',
    '999999999999-9',
    '1700000000000-0',
    '1700000000000-2',
    '1700000000000-10',
    '1700000000001-0',
    '10000000000000-0',
    '18446744073709551615-0',
    '18446744073709551615-18446744073709551614',
    '18446744073709551615-18446744073709551615',
  ];

  test('orders by number, not by text', () => {
    ascending.forEach((a, i) => {
      ascending.forEach((b, j) => {
        expect(Math.sign(compareStreamIds(a, b)), `${a} and ${b}`).toBe(Math.sign(i - j));
      });
    });
  });
});
