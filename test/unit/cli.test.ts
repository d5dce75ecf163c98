import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import stringWidth from 'string-width';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { connectionOf } from '../../lib/cli/frame/connection.js';
import type { GlobalOptions } from '../../lib/cli/frame/globals.js';
import { readDuration, time, whole } from '../../lib/cli/frame/parse.js';
import { tableLines } from '../../lib/cli/output/table.js';
import { grouped, jsonable, oneLine, plural, relative, span } from '../../lib/cli/output/values.js';
import { EXIT } from '../../lib/cli/frame/exit-codes.js';
import { createProgram } from '../../lib/cli/program.js';
import { wordsOf } from '../../lib/cli/completion/complete.js';

const options = (given: Partial<GlobalOptions> = {}): GlobalOptions => ({
  timeout: 5_000,
  color: true,
  ...given,
});

describe('the connection of a command', () => {
  test.each<[Partial<GlobalOptions>, Record<string, string>, object]>([
    [{}, {}, { host: '127.0.0.1', port: 6379 }],
    [{}, { REDIS_URL: 'redis://a:1/2' }, { host: 'a', port: 1, db: 2 }],
    [{ redisUrl: 'redis://b:2' }, { REDIS_URL: 'redis://a:1' }, { host: 'b', port: 2 }],
    [{ redisUrl: ' ' }, { REDIS_URL: '' }, { host: '127.0.0.1', port: 6379 }],
    [{ redisUrl: 'rediss://u:p%40@h:1' }, {}, { host: 'h', port: 1, username: 'u', password: 'p@', tls: {} }],
    [
      { redisUrl: 'redis://u:p@h:1', username: 'v' },
      { CHASQUI_REDIS_PASSWORD: 'q' },
      { host: 'h', port: 1, username: 'v', password: 'q' },
    ],
    [
      { redisUrl: 'redis://h:1', tlsInsecure: true },
      {},
      { host: 'h', port: 1, tls: { rejectUnauthorized: false } },
    ],
    [
      { cluster: true, redisUrl: 'redis://u:p@a:1,b:2,[::1]:3' },
      {},
      {
        username: 'u',
        password: 'p',
        cluster: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: '::1', port: 3 },
        ],
      },
    ],
    [{ cluster: true }, {}, { cluster: [{ host: '127.0.0.1', port: 6379 }] }],
    [
      { sentinel: ['a:1', 'b', '[::1]:3'], sentinelName: 'main' },
      { CHASQUI_SENTINEL_PASSWORD: 's' },
      {
        name: 'main',
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26379 },
          { host: '::1', port: 3 },
        ],
        sentinelPassword: 's',
      },
    ],
    [
      { redisUrl: 'rediss+sentinel://u:p@a:1,b:2/main/3' },
      {},
      {
        name: 'main',
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        username: 'u',
        password: 'p',
        db: 3,
        tls: {},
      },
    ],
  ])('%j with %j', (given, env, expected) => {
    expect(connectionOf(options(given), env)).toEqual(expected);
  });

  test.each<[Partial<GlobalOptions>, RegExp]>([
    [{ redisUrl: 'localhost:6379' }, /must be a redis:\/\/ or rediss:\/\/ URL/],
    [{ redisUrl: 'redis://secret@a:1,b:2' }, /several hosts: add --cluster/],
    [{ sentinel: ['a:1'] }, /need --sentinel-name/],
    [{ sentinelName: 'main' }, /needs at least one --sentinel/],
    [{ sentinel: ['secret@a:1'], sentinelName: 'm' }, /host:port/],
    [{ redisUrl: 'redis+sentinel://secret@a:1' }, /need --sentinel-name/],
    [{ redisUrl: 'redis+sentinel://a:1/main?x=1' }, /must look like/],
    [{ redisUrl: 'redis+sentinel://a:1/main', cluster: true }, /exclude each other/],
    [{ tlsCa: '/nowhere/ca.pem' }, /--tls-ca: the file "\/nowhere\/ca.pem" cannot be read \(ENOENT\)/],
  ])('%j is refused', (given, message) => {
    const refuse = (): unknown => connectionOf(options(given), {});
    expect(refuse).toThrow(message);
    expect(refuse).not.toThrow(/secret/);
  });

  test('a password that was typed wins', () => {
    const env = { CHASQUI_REDIS_PASSWORD: 'env' };
    expect(connectionOf(options(), env, 'typed')).toMatchObject({ password: 'typed' });
  });
});

describe('values on the command line', () => {
  test.each([
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
    ['2D', 172_800_000],
    ['1w', 604_800_000],
    ['0s', 0],
  ])('%s is a duration', (text, ms) => {
    expect(readDuration(text)).toBe(ms);
  });

  test.each(['', '15', 'm', '15 m', '-5m', '5y', '1e3s', '5mm', '99999999999999w'])('%j is none', (text) => {
    expect(readDuration(text)).toBeUndefined();
  });

  test('times: ISO, unix ms, or so long ago', () => {
    expect(time('2026-05-01T12:00:00Z')).toBe(Date.UTC(2026, 4, 1, 12));
    expect(time('2026-05-01')).toBe(Date.UTC(2026, 4, 1));
    expect(time('1777636800000')).toBe(1_777_636_800_000);
    expect(Math.abs(time('15m') - Date.now() + 900_000)).toBeLessThan(5_000);
    for (const wrong of ['soon', '12', '2026-99-01', '01/02/2026']) expect(() => time(wrong)).toThrow();
  });

  test('numbers may be grouped', () => {
    expect(whole()('1_000')).toBe(1_000);
    expect(whole()('1,000,000')).toBe(1_000_000);
    for (const wrong of ['', '1.5', '-1', '1e3', '0x10', '99999999999999999999']) {
      expect(() => whole()(wrong)).toThrow();
    }
    expect(() => whole(1)('0')).toThrow(/at least 1/);
  });

  test.each([
    ['chasqui dlq ', ['chasqui', 'dlq', '']],
    [String.raw`chasqui inspect my\ queue`, ['chasqui', 'inspect', 'my queue']],
    [`chasqui inspect 'my queue' --na`, ['chasqui', 'inspect', 'my queue', '--na']],
    [`a "b 'c`, ['a', "b 'c"]],
    ['', ['']],
  ])('the words of %j', (line, words) => {
    expect(wordsOf(line)).toEqual(words);
  });
});

describe('values in the output', () => {
  test('spans have two units', () => {
    expect([0, 12, 4_200, 9_999, 15_000, 61_000, 3_600_000, 93_600_000].map(span)).toEqual([
      '0ms',
      '12ms',
      '4.2s',
      '10s',
      '15s',
      '1m1s',
      '1h',
      '1d2h',
    ]);
    expect([relative(0, 60_000), relative(60_000, 0), relative(1, 0)]).toEqual(['1m ago', 'in 1m', 'now']);
  });

  test('numbers are grouped, and words agree', () => {
    expect([grouped(1234567), grouped(NaN), plural(1, 'job'), plural(0, 'job')]).toEqual([
      '1,234,567',
      '–',
      '1 job',
      '0 jobs',
    ]);
  });

  test('values that JSON lacks have a form of their own', () => {
    const value = { big: 2n ** 60n, bytes: Buffer.from('hi'), at: new Date(0), nan: NaN, none: undefined };
    expect(jsonable(value)).toEqual({
      big: '1152921504606846976',
      bytes: { $bytes: 'aGk=' },
      at: '1970-01-01T00:00:00.000Z',
      nan: 'NaN',
      none: null,
    });
    expect(oneLine({ text: 'a\n\u202e\u009b' })).toBe(String.raw`{"text":"a\n\u202e\x9b"}`);
  });
});

describe('a table', () => {
  const rows = [
    { id: '日本語のとても長い名前のジョブ', waiting: '1,234,567', note: 'something '.repeat(10) },
    { id: 'b', waiting: '1', note: '' },
  ];
  const columns = [
    { title: 'ID', value: (row: (typeof rows)[0]) => row.id, least: 8 },
    { title: 'WAITING', value: (row: (typeof rows)[0]) => row.waiting, right: true, keep: 5 },
    { title: 'NOTE', value: (row: (typeof rows)[0]) => row.note, least: 10, keep: 2 },
  ];
  const colors = pc.createColors(true);

  test.each([10, 20, 30, 40, 60, 80])('of %i columns has no line that is wider', (width) => {
    const lines = tableLines({ width, colors }, columns, rows);
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  });

  test('leaves out the columns that matter least', () => {
    expect(tableLines({ width: 20, colors }, columns, rows).join('\n')).not.toContain('NOTE');
    expect(tableLines({ width: 20, colors }, columns, rows).join('\n')).toContain('1,234,567');
  });

  test('of unlimited width leaves out and cuts off nothing', () => {
    const text = tableLines({ width: Infinity, colors }, columns, rows).join('\n');
    for (const { id, note } of rows) {
      expect(text).toContain(id);
      expect(text).toContain(note.trimEnd());
    }
  });
});

describe('docs/cli.md', () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const namesOf = (command: Command): string[] =>
    command.commands.flatMap((child) => [child.name(), ...namesOf(child)]);

  test.each([...new Set(namesOf(createProgram()))])('has the command %s', (name) => {
    expect(page).toMatch(new RegExp(`\`(?:[a-z]+ )?${name}\\b`));
  });

  const live = readFileSync(new URL('../../docs/cli-live.md', import.meta.url), 'utf8');
  const optionsOf = (command: Command): (string | undefined)[] => [
    ...command.options.map(({ long }) => long),
    ...command.commands.flatMap(optionsOf),
  ];
  const known = new Set([...optionsOf(createProgram()), '--help']);

  test.each([
    ['docs/cli.md', page],
    ['docs/cli-live.md', live],
  ])('each option on %s exists', (_, text) => {
    const named = new Set(text.match(/(?<=[\s`])--[a-z][a-z-]+/g));
    expect(named.size).toBeGreaterThan(3);
    expect([...named].filter((option) => !known.has(option))).toEqual([]);
  });

  test.each(Object.entries(EXIT))('has the exit code of %s', (_, code) => {
    expect(page).toMatch(new RegExp(`^\\| ${code} +\\|`, 'm'));
  });
});
