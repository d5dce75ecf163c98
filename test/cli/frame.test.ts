import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Queue, Worker, UnrecoverableError } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { temporaryFolder } from './support/folder.js';
import { usePipes } from './support/piped.js';
import { cliCommand, useTerminals } from './support/terminal.js';

const redis = useRedis();
const chasqui = usePipes(() => ({ CHASQUI_REDIS_URL: redis.url }));
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: redis.url } }));
const folder = temporaryFolder();

async function addJobs(queue: string, count: number): Promise<void> {
  await using producer = new Queue(queue, { connection: redis.connection });
  await producer.addBulk(Array.from({ length: count }, (_, n) => ({ name: 'job', data: { n } })));
}

describe('help', () => {
  it.each([[['--help']], [['inspect', '--help']], [['help', 'dlq']], [['dlq', 'replay', '--help']]])(
    '%s loads neither Redis nor Nest nor the screen of watch',
    (args) => {
      const hook = join(folder(), 'loaded.cjs');
      writeFileSync(
        hook,
        `process.on('exit', () => {
           const loaded = Object.keys(require.cache).join('\\n');
           const heavy = /node_modules\\/(ioredis|@nestjs|ink|react|cli-table3|msgpackr)\\//.exec(loaded);
           require('node:fs').writeSync(2, 'heavy: ' + (heavy ? heavy[1] : 'none'));
         });`,
      );
      const [node = '', ...main] = cliCommand();
      const { stdout, stderr, status } = spawnSync(node, ['--require', hook, ...main, ...args], {
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: 'heavy: none' });
      expect(stdout).toContain('Usage: chasqui');
    },
  );

  it('of the program lists all commands; of a command its options', async () => {
    const { out } = await chasqui('--help');
    for (const command of ['inspect', 'jobs', 'job', 'pause', 'dlq', 'repeatable', 'workers', 'add']) {
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    const replay = await chasqui('dlq', 'replay', '--help');
    for (const option of ['--limit', '--reason', '--since', '--dry-run', '--yes', '--json']) {
      expect(replay.out).toContain(option);
    }
    expect(replay.out).not.toContain('--tls-ca');
  });

  it('without a command goes to stderr, with the exit code of wrong usage', async () => {
    const { code, out, err } = await chasqui();
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: chasqui');
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(execFileSync('cat', ['package.json'], { encoding: 'utf8' })) as {
      version: string;
    };
    expect((await chasqui('--version')).out).toBe(`${version}\n`);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['inspekt'], /unknown command 'inspekt' \(Did you mean inspect\?\)/],
    [['dlq', 'reply', 'mail'], /unknown command 'reply' \(Did you mean replay\?\)/],
    [['inspect', '--jsno'], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [['dlq', 'peek'], /missing required argument 'queue'/],
    [['dlq', 'peek', 'mail', '--limit', '-1'], /--limit.*whole number of at least 1/],
    [['dlq', 'peek', 'mail', '--since', 'yesterday'], /--since.*2026-05-01T12:00:00Z/],
    [['dlq', 'peek', 'mail', '--reason', 'bored'], /--reason.*retries_exhausted/],
    [['inspect', 'a', 'b'], /too many arguments/],
    [['inspect', '--timeout', '0s'], /--timeout must be longer than 0/],
    [['inspect', 'a{b'], /CMQ-004.*queue name/],
  ])('%j is one line, and exit code 2', async (args, message) => {
    const { code, out, err } = await chasqui(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).toMatch(/^chasqui: /);
  });

  it('is JSON with --json', async () => {
    for (const args of [['no\u009bpe'], ['inspect', '--x\u009b\u202e'], ['no\u009bpe', '--json']]) {
      expect((await chasqui(...args)).err).toMatch(/^[\x20-\x7e\n]+$/);
    }
    const { code, err } = await chasqui('inspect', '--json', '--nope');
    expect(code).toBe(2);
    expect(JSON.parse(err)).toEqual({ error: { message: "unknown option '--nope'" } });
  });
});

describe('an argument that begins with "-"', () => {
  it.each([
    [['job', 'show', 'mail', '-x'], "unknown option '-x'", 'chasqui job show [options] -- <queue> <id>'],
    [['job', 'remove', 'mail', '-y'], "argument 'id'", 'chasqui job remove [options] -- <queue> <id>'],
    [
      ['repeatable', 'run', 'mail', '-1a'],
      "option '-1a'",
      'chasqui repeatable run [options] -- <queue> <id>',
    ],
    [['add', '-q', 'a'], "option '-q'", 'chasqui add [options] -- <queue> <name> [data]'],
  ])('%j says that "--" is needed', async (args, what, usage) => {
    const { code, err } = await chasqui(...args);
    expect(code).toBe(2);
    expect(err).toContain(what);
    expect(err).toContain(
      `An argument that begins with "-", such as an id, needs "--" before it: ${usage}\n`,
    );
  });

  it('is no hint where that cannot be what is wrong', async () => {
    const wrong = [['job', 'show', 'mail', '--json'], ['job', 'show', 'mail', 'id', '-x'], ['--nope']].map(
      (args) => chasqui(...args),
    );
    for (const { code, err } of await Promise.all(wrong)) {
      expect(code).toBe(2);
      expect(err).not.toContain('An argument that begins');
    }
  });

  it('behind "--" is an id, in the command that a hint proposes as well', async () => {
    await using queue = new Queue('-m', { connection: redis.connection });
    await queue.add('a', 1, { jobId: '-x' });
    expect((await chasqui('job', 'show', '--', '-m', '-x')).out).toMatch(/^id +-x$/m);
    const { out } = await chasqui('pause', '--', '-m');
    expect(out).toContain('Resume: chasqui resume -- -m\n');
    expect((await chasqui('job', 'remove', '--yes', '--', '-m', '-x')).out).toBe('Removed job -x.\n');
  });
});

describe('an error', () => {
  it('of a key with another type names the queue, the key, and what to do', async () => {
    await addJobs('mail', 1);
    await redis.client.set('{chasqui:mail}:room', 'text');
    const { code, err } = await chasqui('jobs', 'list', 'mail', '--json');
    expect(code).toBe(5);
    expect(JSON.parse(err)).toMatchObject({
      error: {
        code: 'CMQ-001',
        message: expect.stringMatching(
          /WRONGTYPE.* A key of queue "mail" has another type: another program writes to {chasqui:mail} keys/,
        ) as string,
        hint: '{chasqui:mail}:room is a string, and must be a zset.',
      },
    });
  });

  it('of one queue does not keep inspect from showing the others', async () => {
    await Promise.all([addJobs('mail', 1), addJobs('other', 2)]);
    await redis.client.set('{chasqui:mail}:room', 'text');
    const { code, json, err } = await chasqui('inspect', '--json');
    expect(code).toBe(5);
    expect(json).toMatchObject({ queues: [{ name: 'other', waiting: 2 }], unreadable: ['mail'] });
    expect(err).toContain('{chasqui:mail}:room is a string');
  });

  it('of an unknown queue names the nearest queues, with the code and exit code 3', async () => {
    await addJobs('emails', 1);
    await addJobs('reports', 1);
    const { code, out, err } = await chasqui('inspect', 'email');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toBe(
      `chasqui: CMQ-110: Redis at 127.0.0.1:${redis.port} has no queue "email". Did you mean "emails"?\n`,
    );
    const json = await chasqui('inspect', 'email', '--json');
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'CMQ-110' } });
  });

  it('of the connection is exit code 5, with a hint and without the password', async () => {
    const { code, out, err } = await chasqui('inspect', '--timeout', '300ms', {
      env: { CHASQUI_REDIS_URL: 'redis://user:hunter22@127.0.0.1:1' },
    });
    expect({ code, out }).toEqual({ code: 5, out: '' });
    expect(err).toMatch(/^chasqui: CMQ-001: Redis at 127\.0\.0\.1:1: .*Nothing listens there/);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).not.toContain('hunter22');
  });

  // Each of these would else be reported only after --timeout.
  it.each<[string, string[], RegExp]>([
    ['a port where nothing listens', ['--redis-url', 'redis://127.0.0.1:1'], /Nothing listens there/],
    ['a host without an address', ['--redis-url', 'redis://nohost.invalid'], /cannot be resolved/],
    ['nodes that do not listen', ['--cluster', '--redis-url', 'redis://127.0.0.1:1,127.0.0.1:2'], /CMQ-001/],
    ['a server that is no cluster', ['--cluster'], /cluster support disabled/],
    ['no sentinel', ['--sentinel', '127.0.0.1:1', '--sentinel-name', 'main'], /No sentinel knows the master/],
  ])('of the connection is reported at once: %s', async (_, args, message) => {
    for (const command of [
      ['inspect'],
      ['watch'],
      ['events', 'mail', '--no-follow'],
      ['add', 'mail', 'x', '--create'],
    ]) {
      const { code, out, err } = await chasqui(...command, ...args, '--timeout', '1h');
      expect({ code, out }).toEqual({ code: 5, out: '' });
      expect(err).toMatch(message);
    }
  });

  it('has a stack only with --verbose, without the password', async () => {
    const env = { CHASQUI_REDIS_URL: 'redis://:hunter22@127.0.0.1:1' };
    const { err } = await chasqui('inspect', '--timeout', '300ms', '--verbose', { env });
    expect(err).toMatch(/\n {4}at /);
    expect(err).not.toContain('hunter22');
  });

  it('of a URL shows no part of it', async () => {
    const { code, err } = await chasqui('inspect', '--redis-url', 'http://:hunter22@host');
    expect(code).toBe(2);
    expect(err).toMatch(/must be a redis:\/\/ or rediss:\/\/ URL/);
    expect(err).not.toContain('hunter22');
  });

  it('has no control characters of the user', async () => {
    const { err } = await chasqui('inspect', 'a\u001b[31mb\nc');
    expect(err).toContain(String.raw`a\x1b[31mb\nc`);
  });
});

describe('the output', () => {
  it('has no colors in a pipe, and colors with FORCE_COLOR', async () => {
    await addJobs('mail', 3);
    const escape = String.fromCharCode(27);
    for (const env of [{ CI: undefined }, { CI: 'true' }, { COLORTERM: 'truecolor' }]) {
      expect((await chasqui('inspect', { env })).out).not.toContain(escape);
    }
    expect((await chasqui('inspect', { env: { FORCE_COLOR: '1' } })).out).toContain(escape);
    const no = { FORCE_COLOR: '1', NO_COLOR: '1' };
    expect((await chasqui('inspect', { env: no })).out).not.toContain(escape);
    expect((await chasqui('inspect', '--no-color', { env: { FORCE_COLOR: '1' } })).out).not.toContain(escape);
  });

  it('has colors on a terminal, and none with NO_COLOR or TERM=dumb', async () => {
    await addJobs('mail', 3);
    const colored = await terminals.chasqui('inspect');
    await colored.exit();
    expect(colored.styleOf('QUEUE').bold).toBe(true);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const plain = await terminals.chasqui('inspect', { env });
      await plain.exit();
      expect(plain.styleOf('QUEUE').bold).toBe(false);
    }
  });

  it('fits a terminal of 40 columns: columns are left out, and no line is broken', async () => {
    await addJobs('a-queue-whose-name-is-longer-than-most', 3);
    await addJobs('日本語の待ち行列', 12_345);
    const terminal = await terminals.chasqui('inspect', { columns: 40, rows: 10 });
    expect((await terminal.exit()).code).toBe(0);
    const lines = terminal.text.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/QUEUE +WAITING/);
    expect(terminal.text).toContain('12,345');
    expect(terminal.text).toContain('日本語');
  });

  it('is not cut off in a pipe', async () => {
    const name = `q${'x'.repeat(200)}`;
    await addJobs(name, 1);
    expect((await chasqui('inspect')).out).toContain(name);
  });

  it('ends quietly when its reader has gone', async () => {
    await using queue = new Queue('mail', { connection: redis.connection });
    const worker = new Worker(
      'mail',
      () => {
        throw new UnrecoverableError('no');
      },
      { connection: redis.connection, concurrency: 50 },
    );
    await queue.addBulk(
      Array.from({ length: 2_000 }, () => ({ name: 'a', data: { text: 'x'.repeat(500) } })),
    );
    await expect.poll(() => queue.getFailedCount(), { timeout: 15_000 }).toBe(2_000);
    await worker.close();
    const line = `${cliCommand().join(' ')} dlq export mail | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], {
      encoding: 'utf8',
      env: { ...process.env, CHASQUI_REDIS_URL: redis.url },
    });
    const [first = '', code] = stdout.trimEnd().split('\n');
    expect(JSON.parse(first)).toMatchObject({ reason: 'unrecoverable' });
    expect(code).toBe('0');
    expect(stderr).toBe('');
  });
});
