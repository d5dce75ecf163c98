import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Queue, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { temporaryFolder } from './support/folder.js';
import { usePipes } from './support/piped.js';
import { useTerminals } from './support/terminal.js';

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: redis.url } }));
const folder = temporaryFolder();
const DLQ = '{chasqui:welcome}:dlq';

/** 12 dead letters: of those, 4 are "digest", and one each has the text "poison". */
async function failJobs(): Promise<void> {
  await using queue = new Queue('welcome', { connection: redis.connection });
  const worker = new Worker(
    'welcome',
    (job) => {
      const { to } = job.data as { to: string };
      if (to.startsWith('poison')) throw new UnrecoverableError(`blocked address ${to}`);
      throw new Error('SMTP timeout\nline two \u001b[31m');
    },
    { connection: redis.connection, maxAttempts: 1 },
  );
  for (let n = 0; n < 12; n++) {
    const to = n === 3 ? 'poison@example.com' : `user${n}@example.com`;
    await queue.add(n % 3 === 0 ? 'digest' : 'welcome', { to, at: new Date(0), raw: Buffer.from('hi') });
  }
  await expect.poll(() => queue.getFailedCount()).toBe(12);
  await worker.close();
}

const left = (): Promise<number> => redis.client.xlen(DLQ);
const waiting = (): Promise<number> => redis.client.xlen('{chasqui:welcome}:stream');

beforeEach(failJobs);

describe('the command lines of the tutorial and the guide', () => {
  it('`chasqui dlq peek welcome` shows the reason and the payload', async () => {
    const { code, out, err } = await chasqui('dlq', 'peek', 'welcome');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/reason +unrecoverable, 1 attempt/);
    expect(out).toContain(
      '{"to":"poison@example.com","at":"1970-01-01T00:00:00.000Z","raw":{"$bytes":"aGk="}}',
    );
    expect(await left()).toBe(12);
  });

  it('`chasqui dlq replay welcome --limit 50` replays, asks nothing, and prints how many', async () => {
    const { code, out, err } = await chasqui('dlq', 'replay', 'welcome', '--limit', '50');
    expect({ code, out, err }).toEqual({ code: 0, out: 'Replayed 12 dead letters.\n', err: '' });
    expect(await left()).toBe(0);
    expect(await waiting()).toBe(12);
  });
});

describe('dlq peek', () => {
  it('shows the group and the priority of a job', async () => {
    await using queue = new Queue('order', { connection: redis.connection });
    const fail = () => Promise.reject(new UnrecoverableError('no'));
    const worker = new Worker('order', fail, { connection: redis.connection });
    await queue.addBulk([
      { name: 'a', data: 1, opts: { group: { id: 'acme\u001b', priority: 3 } } },
      { name: 'b', data: 1, opts: { lifo: true } },
    ]);
    await expect.poll(() => queue.getFailedCount()).toBe(2);
    await worker.close();
    const { json } = await chasqui('dlq', 'peek', 'order', '--json');
    const letters = (json as { entries: { name: string }[] }).entries;
    expect(letters.sort((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      { priority: 3, lifo: false, group: 'acme\u001b' },
      { priority: 0, lifo: true, group: null },
    ]);
    const { out } = await chasqui('dlq', 'peek', 'order');
    expect(out).toMatch(/\n {2}job {7}\S+\n {2}group {5}acme\\x1b\n {2}priority {2}3\n {2}error {5}no\n/);
    expect(out).toMatch(/\n {2}priority {2}lifo\n/);
    const dry = await chasqui('dlq', 'drop', 'order', '--name', 'a', '--dry-run');
    expect(dry.out).toMatch(/ {2}a {2}unrecoverable {2}group acme\\x1b {2}priority 3\n/);
  });

  it('escapes text of jobs', async () => {
    const { out } = await chasqui('dlq', 'peek', 'welcome', '--limit', '1', '--stack');
    expect(out).toContain(String.raw`SMTP timeout\nline two \x1b[31m`);
    expect(out).not.toContain(String.fromCharCode(27));
    expect(out).toMatch(/^ +at /m);
    expect(out).toContain('1 of 12 dead letters. --limit shows more.');
  });

  it('--json is one document with a stable shape', async () => {
    const { json } = await chasqui('dlq', 'peek', 'welcome', '--reason', 'unrecoverable', '--json');
    expect(json).toEqual({
      queue: 'welcome',
      total: 12,
      entries: [
        {
          id: expect.stringMatching(/^\d+-\d+$/) as unknown,
          jobId: expect.any(String) as unknown,
          name: 'digest',
          reason: 'unrecoverable',
          error: 'blocked address poison@example.com',
          stack: expect.stringContaining('UnrecoverableError') as unknown,
          attempts: 1,
          failedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown,
          sourceId: expect.stringMatching(/^\d+-\d+$/) as unknown,
          data: { to: 'poison@example.com', at: '1970-01-01T00:00:00.000Z', raw: { $bytes: 'aGk=' } },
          priority: 0,
          lifo: false,
          group: null,
        },
      ],
    });
  });

  it('the oldest come first, or the newest', async () => {
    const to = async (...args: string[]): Promise<string[]> => {
      const { json } = await chasqui('dlq', 'peek', 'welcome', '--limit', '2', '--json', ...args);
      return (json as { entries: { data: { to: string } }[] }).entries.map(({ data }) => data.to);
    };
    expect(await to()).toEqual(['user0@example.com', 'user1@example.com']);
    expect(await to('--newest')).toEqual(['user11@example.com', 'user10@example.com']);
    expect(await to('--text', 'user7@')).toEqual(['user7@example.com']);
    expect(await to('--name', 'digest', '--reason', 'retries_exhausted')).toEqual([
      'user0@example.com',
      'user6@example.com',
    ]);
    expect(await to('--since', '1h', '--until', '30m')).toEqual([]);
  });

  it('finds a dead letter by its id and by the id of its job', async () => {
    const all = (await chasqui('dlq', 'peek', 'welcome', '--json')).json as {
      entries: { id: string; jobId: string }[];
    };
    const { id, jobId } = all.entries[4]!;
    for (const wanted of [id, jobId]) {
      const { json } = await chasqui('dlq', 'peek', 'welcome', '--id', wanted, '--json');
      expect((json as typeof all).entries.map((entry) => entry.id)).toEqual([id]);
    }
  });

  it('says that nothing matches, and that there is nothing', async () => {
    expect((await chasqui('dlq', 'peek', 'welcome', '--text', 'nope')).out).toBe('No dead letter matches.\n');
    await chasqui('dlq', 'drop', 'welcome', '--all', '--yes');
    expect((await chasqui('dlq', 'peek', 'welcome')).out).toBe('There are no dead letters.\n');
  });

  it('shows bytes that cannot be decoded', async () => {
    await redis.client.xadd(DLQ, '*', 'd', Buffer.from([0xc1, 0xff]), 'reason', 'decode_failed');
    const { code, out } = await chasqui('dlq', 'peek', 'welcome', '--newest', '--limit', '1');
    expect(code).toBe(0);
    expect(out).toContain('2 bytes that cannot be decoded: c1ff');
  });

  it('fits a terminal of 40 columns', async () => {
    const terminal = await terminals.chasqui('dlq', 'peek', 'welcome', '--limit', '2', { columns: 40 });
    expect((await terminal.exit()).code).toBe(0);
    expect(terminal.text).toContain('retries_exhausted');
    expect(terminal.styleOf('retries_exhausted').color).not.toBe('default');
  });
});

describe('dlq replay and drop', () => {
  it.each(['replay', 'drop'])(
    '%s without a selection is refused: it never acts on everything',
    async (command) => {
      const { code, err } = await chasqui('dlq', command, 'welcome', '--yes');
      expect(code).toBe(2);
      expect(err).toMatch(/needs to know which dead letters\. Pass --limit, .* or --all\./);
      expect(await left()).toBe(12);
    },
  );

  it.each(['replay', 'drop'])(
    '%s --dry-run lists what would be done, and changes nothing',
    async (command) => {
      const { code, out } = await chasqui('dlq', command, 'welcome', '--name', 'digest', '--dry-run');
      expect(code).toBe(0);
      expect(out).toMatch(/4 dead letters would be (replayed|deleted)\. Nothing was changed\./);
      const { json } = await chasqui('dlq', command, 'welcome', '--limit', '5', '--dry-run', '--json');
      expect(json).toMatchObject({ queue: 'welcome', dryRun: true, matching: 5 });
      expect(await left()).toBe(12);
    },
  );

  it('--all excludes a filter', async () => {
    expect((await chasqui('dlq', 'drop', 'welcome', '--all', '--name', 'x', '--yes')).code).toBe(2);
  });

  it('drop without a terminal and without --yes is refused with exit code 4', async () => {
    const { code, out, err } = await chasqui('dlq', 'drop', 'welcome', '--all');
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toMatch(
      /needs a confirmation: Delete all 12 dead letters of "welcome" for good\? Pass --yes/,
    );
    expect(await left()).toBe(12);
  });

  it('drop deletes the selected ones', async () => {
    const { json } = await chasqui('dlq', 'drop', 'welcome', '--reason', 'unrecoverable', '--yes', '--json');
    expect(json).toEqual({ queue: 'welcome', dropped: 1 });
    expect((await chasqui('dlq', 'drop', 'welcome', '--name', 'digest', '--limit', '2', '-y')).out).toBe(
      'Deleted 2 dead letters.\n',
    );
    expect(await left()).toBe(9);
  });

  it('replay leaves dead letters that no worker could read, and says so', async () => {
    await redis.client.xadd(DLQ, '*', 'd', Buffer.from([0xc1]), 'reason', 'decode_failed');
    const { json } = await chasqui('dlq', 'replay', 'welcome', '--all', '--yes', '--json');
    expect(json).toEqual({ queue: 'welcome', replayed: 12, skipped: 1 });
    expect(await left()).toBe(1);
  });

  it('a terminal is asked: n keeps them, y deletes them', async () => {
    const no = await terminals.chasqui('dlq', 'drop', 'welcome', '--limit', '3');
    await no.until('[y/N]');
    no.press('n', 'enter');
    expect((await no.exit()).code).toBe(4);
    expect(no.text).toContain('Not confirmed. Nothing was done.');
    expect(await left()).toBe(12);
    const yes = await terminals.chasqui('dlq', 'drop', 'welcome', '--limit', '3');
    await yes.until('[y/N]');
    yes.press('y', 'enter');
    expect((await yes.exit()).code).toBe(0);
    expect(yes.text).toContain('Deleted 3 dead letters.');
    expect(await left()).toBe(9);
  });

  it('--limit counts what is replayed, not what is left', async () => {
    const [[first] = ['']] = await redis.client.xrange(DLQ, '-', '+', 'COUNT', 1);
    await redis.client.xdel(DLQ, first);
    await redis.client.xadd(DLQ, '*', 'd', Buffer.from([0xc1]), 'reason', 'decode_failed');
    const { json } = await chasqui('dlq', 'replay', 'welcome', '--limit', '12', '--json');
    expect(json).toEqual({ queue: 'welcome', replayed: 11, skipped: 1 });
  });

  it.each([['peek'], ['export'], ['replay'], ['replay', '--dry-run'], ['drop', '--yes']])(
    '%s %s of an id that does not exist is exit code 3, and nothing is done',
    async (command, ...flags) => {
      const [[there] = ['']] = await redis.client.xrange(DLQ, '-', '+', 'COUNT', 1);
      const unknown = await chasqui('dlq', command, 'welcome', '--id', 'nope', ...flags);
      expect(unknown).toMatchObject({ code: 3, out: '' });
      expect(unknown.err).toBe('chasqui: CMQ-106: Queue "welcome" has no such dead letter: nope.\n');
      const ids = ['--id', there, '--id', 'nope', '--id', 'x\u009by'];
      const some = await chasqui('dlq', command, 'welcome', ...ids, '--json', ...flags);
      expect(some).toMatchObject({ code: 3, out: '' });
      expect(JSON.parse(some.err)).toMatchObject({
        error: { code: 'CMQ-106', message: expect.stringMatching(/letter: nope, x\\x9by\.$/) as string },
      });
      expect(await left()).toBe(12);
    },
  );

  it.each([
    ['peek', 'No dead letter matches.'],
    ['replay', 'Replayed 0 dead letters.'],
    ['drop', 'Deleted 0 dead letters.'],
  ])('%s of an id that another filter excludes is no error', async (command, says) => {
    const [[there] = ['']] = await redis.client.xrange(DLQ, '-', '+', 'COUNT', 1);
    const filters = ['--id', there, '--name', 'zzz', ...(command === 'drop' ? ['--yes'] : [])];
    const { code, out, err } = await chasqui('dlq', command, 'welcome', ...filters);
    expect({ code, out: out.trim(), err }).toEqual({ code: 0, out: says, err: '' });
    expect(await left()).toBe(12);
  });

  it('Ctrl-C at the question does nothing, with exit code 130', async () => {
    const terminal = await terminals.chasqui('dlq', 'drop', 'welcome', '--all');
    await terminal.until('[y/N]');
    terminal.press('ctrl-c');
    expect((await terminal.exit()).code).toBe(130);
    expect(await left()).toBe(12);
  });
});

describe('dlq histogram', () => {
  it('counts by reason, name and time', async () => {
    const { out } = await chasqui('dlq', 'histogram', 'welcome');
    expect(out).toMatch(/retries_exhausted +11 +█+/);
    expect(out).toMatch(/digest +4 +█+/);
    expect(out).toContain('12 dead letters.');
    const { json } = await chasqui('dlq', 'histogram', 'welcome', '--by', 'name', '--json');
    expect(json).toEqual({
      queue: 'welcome',
      total: 12,
      name: [
        { key: 'welcome', count: 8 },
        { key: 'digest', count: 4 },
      ],
    });
  });
});

describe('dlq export and import', () => {
  const dump = async (): Promise<unknown> =>
    ((await redis.client.xrangeBuffer(DLQ, '-', '+')) as [Buffer, Buffer[]][]).map(([, fields]) =>
      fields.map((field) => field.toString('latin1')),
    );

  it('an export that was imported is the same, byte by byte', async () => {
    await redis.client.xadd(DLQ, '*', 'd', Buffer.from([0, 0xff, 0xc1]), 'reason', 'x', 'odd \u0000', '');
    const before = await dump();
    const file = join(folder(), 'letters.ndjson');
    const exported = await chasqui('dlq', 'export', 'welcome', '--output', file);
    expect(exported).toMatchObject({ code: 0, out: `Exported 13 dead letters to ${file}.\n` });
    expect(statSync(file).mode & 0o077).toBe(0);
    await chasqui('dlq', 'drop', 'welcome', '--all', '--yes');
    expect(await left()).toBe(0);
    const { json } = await chasqui('dlq', 'import', 'welcome', file, '--json');
    expect(json).toEqual({ queue: 'welcome', imported: 13, skipped: 0 });
    expect(await dump()).toEqual(before);
    const replayed = await chasqui('dlq', 'replay', 'welcome', '--all', '--yes', '--json');
    expect(replayed.json).toMatchObject({ replayed: 12 });
  });

  it('into another queue, through a pipe; a second time it adds nothing', async () => {
    const { out: lines } = await chasqui('dlq', 'export', 'welcome', '--name', 'digest');
    expect(lines.trimEnd().split('\n')).toHaveLength(4);
    const unknown = await chasqui('dlq', 'import', 'other', '-', { input: lines });
    expect(unknown.code).toBe(3);
    const first = await chasqui('dlq', 'import', 'other', '-', '--create', '--json', { input: lines });
    expect(first.json).toEqual({ queue: 'other', imported: 4, skipped: 0 });
    const ids = async (queue: string): Promise<string[]> =>
      (await redis.client.xrange(`{chasqui:${queue}}:dlq`, '-', '+')).map(([id]) => id);
    // An empty DLQ takes the ids as they were.
    expect(await ids('welcome')).toEqual(expect.arrayContaining(await ids('other')));
    const second = await chasqui('dlq', 'import', 'other', '-', '--json', { input: lines });
    expect(second.json).toEqual({ queue: 'other', imported: 0, skipped: 4 });
  });

  it('--dry-run checks the file and adds nothing', async () => {
    const { out: input } = await chasqui('dlq', 'export', 'welcome');
    await chasqui('dlq', 'drop', 'welcome', '--limit', '5', '--yes');
    const { json } = await chasqui('dlq', 'import', 'welcome', '-', '--dry-run', '--json', { input });
    expect(json).toEqual({ queue: 'welcome', dryRun: true, imported: 5, skipped: 7 });
    expect(await left()).toBe(7);
  });

  it.each([
    ['not JSON', 'nope', /line 2: this is not JSON/],
    ['null', 'null', /line 2: this is no dead letter/],
    ['another document', '{"id":"1-1"}', /line 2: this is no dead letter/],
    ['no base64', '{"id":"1-1","fields":[["ZA==","%"]]}', /line 2: a field is not base64/],
    ['no pair', '{"id":"1-1","fields":[["ZA=="]]}', /line 2: a field is not a pair/],
  ])('a file with %s is refused before anything is added', async (_, line, message) => {
    const { out } = await chasqui('dlq', 'export', 'welcome', '--limit', '1');
    await chasqui('dlq', 'drop', 'welcome', '--all', '--yes');
    const file = join(folder(), 'broken.ndjson');
    writeFileSync(file, `${out}${line}\n`);
    const { code, err } = await chasqui('dlq', 'import', 'welcome', file);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).toContain('Nothing was imported.');
    expect(await left()).toBe(0);
  });

  it('an id of the future is not kept: it would seal the DLQ', async () => {
    const fields = '[["ZA==","ZA=="]]';
    const input = `{"id":"18446744073709551615-18446744073709551615","fields":${fields}}\n`;
    expect((await chasqui('dlq', 'import', 'fresh', '-', '--create', { input })).code).toBe(0);
    const [[id] = ['']] = await redis.client.xrange('{chasqui:fresh}:dlq', '-', '+');
    expect(Number(id.split('-')[0])).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  it('a folder cannot be imported', async () => {
    const { code, err } = await chasqui('dlq', 'import', 'welcome', folder());
    expect(code).toBe(2);
    expect(err).toMatch(/^chasqui: The file .* cannot be read: EISDIR\.\n$/);
  });

  it('JSON has no control characters and no marks that turn the text', async () => {
    const text = 'a\u009b31mb\u0085c\u202ed\u2028e';
    await using queue = new Queue('hostile', { connection: redis.connection });
    await queue.add(text, { text });
    const { out, json } = await chasqui('jobs', 'list', 'hostile', '--json');
    expect(out).not.toMatch(/[\u007f-\u009f\u2028-\u202e]/);
    expect(json).toMatchObject({ jobs: [{ name: text, data: { text } }] });
  });

  it('does not overwrite a file, and names a file that is missing', async () => {
    const file = join(folder(), 'there.ndjson');
    writeFileSync(file, 'mine');
    const { code, err } = await chasqui('dlq', 'export', 'welcome', '--output', file);
    expect(code).toBe(4);
    expect(err).toContain('it exists already');
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const missing = await chasqui('dlq', 'import', 'welcome', join(folder(), 'missing'));
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('ENOENT');
  });
});
