import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import { useKit } from '../redis/contract/kit.js';
import { cliCommand, useTerminals } from './support/terminal.js';
import type { Terminal, TerminalOptions } from './support/terminal.js';

/*
 * `chasqui watch` in a real terminal, on queues with real workers. Keys are pressed when the screen shows what they act on.
 */

// Each test starts a process or two, and a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const kit = useKit();
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: kit.url } }));

const watch = (...args: (string | TerminalOptions)[]): Promise<Terminal> =>
  terminals.chasqui('watch', '--interval', '200ms', ...args);

/** A worker that fails jobs whose data says so, and holds others until they are released. */
function failing() {
  return kit.worker(
    async ({ data }) => {
      if (data === 'bad') throw new UnrecoverableError('no such address');
      return undefined;
    },
    { concurrency: 7, consumerId: 'mailer' },
  );
}

describe('the screen', () => {
  it('shows counts, rates, workers and failures, and changes with them', async () => {
    const queue = kit.queue();
    await queue.add('welcome', 'later', { delay: 60_000 });
    const terminal = await watch();
    await terminal.until(/▸ mail +0 +0 +1 +0/);
    expect(terminal.text).toMatch(/1 queue · 0 waiting · 0 active · 1 delayed · 0 dead/);
    await terminal.until('No workers');
    failing();
    await terminal.until(/1 worker · 0 of 7 handlers busy/);
    expect(terminal.text).toContain('0/7');
    await queue.add('welcome', 'bad', { jobId: 'job-1' });
    await terminal.until(/#1 dead +no such address/);
    await terminal.until(/▸ mail +0 +0 +1 +1/);
    await terminal.until(/failed +0\.2\/s/);
    expect(terminal.text).toContain('Failures · 1, newest first');
  });

  it('shows jobs that occurred before it began', async () => {
    failing();
    const queue = kit.queue();
    const events = await kit.events();
    const ended = new Promise((resolve) => events.once('dlq', resolve));
    await queue.add('welcome', 'bad');
    await ended;
    const terminal = await watch();
    await terminal.until(/#1 dead +no such address/);
  });

  it('shows queues that appear later', async () => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch();
    await terminal.until('1 queue ·');
    // A new queue is looked for every 15 seconds, and at once after the key g.
    await kit.queue({}, 'invoices').add('render', 1);
    terminal.press('g');
    await terminal.until(/2 queues[^]+invoices +1/);
  });

  it('shows only the queues that are named, and refuses one that does not exist', async () => {
    await kit.queue().add('welcome', 1);
    await kit.queue({}, 'invoices').add('render', 1);
    const terminal = await watch('mail');
    await terminal.until('1 queue ·');
    expect(terminal.text).not.toContain('invoices');
    const wrong = await watch('mails');
    expect((await wrong.exit()).code).toBe(3);
    expect(wrong.text).toContain('Did you mean "mail"?');
    expect(wrong.isAlternateScreen).toBe(false);
  });

  it('shows names that would move the cursor as text', async () => {
    await kit.queue({}, 'red\x1b[31m\nline\u202e').add('x\x1b[2J', 'bad');
    const terminal = await watch();
    await terminal.until(String.raw`red\x1b[31m\nline\u202e`);
  });

  it.each([
    [100, 30],
    [80, 24],
    [40, 15],
    [40, 6],
    [20, 3],
    [10, 1],
  ])('fits %i columns and %i rows', async (columns, rows) => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch({ columns, rows });
    await terminal.until(() => terminal.isAlternateScreen && terminal.text.includes('mail'));
    expect(terminal.lines).toHaveLength(rows);
    // No line was too long for the screen, and none was scrolled away.
    if (rows >= 4) expect(terminal.lines[0]).toMatch(/live|chasqui/);
    terminal.press('q');
    expect((await terminal.exit()).code).toBe(0);
  });

  it('follows a window that changes its size', async () => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch({ columns: 120, rows: 30 });
    await terminal.until('DONE, LAST');
    terminal.resize(50, 12);
    await terminal.until(() => !terminal.text.includes('DONE, LAST') && /▸ mail +1/.test(terminal.text));
    terminal.resize(120, 40);
    await terminal.until(/DONE, LAST[^]+Failures/);
  });

  it('has no colors with NO_COLOR, and no backgrounds of its own', async () => {
    await kit.queue().add('welcome', 1);
    const plain = await watch({ env: { NO_COLOR: '1' } });
    await plain.until(/▸ mail/);
    // eslint-disable-next-line no-control-regex -- the codes of colors
    expect(plain.raw.replaceAll('\x1b[0m', '')).not.toMatch(/\x1b\[[\d;]*m/);
    const colored = await watch();
    await colored.until(/▸ mail/);
    expect(colored.styleOf('live')).toMatchObject({ color: 2, background: 'default' });
    // eslint-disable-next-line no-control-regex -- backgrounds, and colors outside of the palette
    expect(colored.raw).not.toMatch(/\x1b\[(4\d|10\d|38|48)(;[\d;]*)?m/);
  });

  it('draws with ASCII where the locale has no UTF-8', async () => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch({ env: { LANG: 'C', LC_ALL: 'C' } });
    await terminal.until(/> mail +1/);
    expect(terminal.text).toMatch(/\+- mail/);
  });

  it('draws in a CI server, too, if there is a terminal', async () => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch({ env: { CI: 'true', GITHUB_ACTIONS: 'true', DEV: 'true' } });
    await terminal.until(/▸ mail +1/);
  });

  it('scrolls through a hundred queues', async () => {
    for (let i = 0; i < 100; i++)
      await kit.client.xadd(`{chasqui:queue-${String(i).padStart(3, '0')}}:events`, '*', 'e', 'x');
    const terminal = await watch({ rows: 24 });
    await terminal.until(/100 queues[^]+▸ queue-000/);
    expect(terminal.text).not.toContain('queue-050');
    terminal.press('end');
    await terminal.until('▸ queue-099');
    expect(terminal.text).not.toContain('queue-000');
    terminal.press('up');
    await terminal.until('▸ queue-098');
    terminal.press('home', 'tab', 'tab', 'shiftTab');
    await terminal.until('▸ queue-001');
  });

  it('says what is wrong with a queue that cannot be read, and shows the others', async () => {
    await kit.queue().add('welcome', 1);
    await kit.client.set('{chasqui:broken}:stream', 'text');
    await kit.client.xadd('{chasqui:broken}:events', '*', 'e', 'x');
    const terminal = await watch();
    await terminal.until(/broken +.*WRONGTYPE/);
    expect(terminal.text).toMatch(/mail +1/);
  });
});

describe('keys', () => {
  it('p pauses the queue for all workers, and lets it run again', async () => {
    const queue = kit.queue();
    const worker = failing();
    await worker.waitUntilReady();
    const terminal = await watch();
    await terminal.until(/▸ mail/);
    terminal.press('p');
    await terminal.until('Pause queue mail on all workers? y/n');
    terminal.press('n');
    await terminal.until('Nothing was done.');
    expect(await queue.isPaused()).toBe(false);
    terminal.press('p');
    await terminal.until('y/n');
    terminal.press('y');
    await terminal.until('Queue mail is paused.');
    expect(await queue.isPaused()).toBe(true);
    await queue.add('welcome', 'waits');
    await terminal.until(/mail ❚❚ +1/);
    await terminal.until(/mail paused/);
    terminal.press('p');
    await terminal.until('Resume queue mail? y/n');
    terminal.press('y');
    await terminal.until('Queue mail runs again.');
    await terminal.until(/▸ mail +0/);
    expect(await queue.isPaused()).toBe(false);
  });

  it('d shows dead letters, Enter their data and stack, r replays one', async () => {
    const queue = kit.queue();
    const worker = failing();
    const dead = new Promise((resolve) => worker.once('failed', resolve));
    await queue.add('welcome', 'bad', { jobId: 'job-1' });
    await dead;
    await worker.close();
    const terminal = await watch();
    await terminal.until(/▸ mail +0 +0 +0 +1/);
    terminal.press('d');
    await terminal.until(/Dead letters of mail · 1/);
    await terminal.until(/welcome +job-1 +unrecoverable +no such address/);
    terminal.press('enter');
    await terminal.until(/Data[^]+"bad"[^]+Stack[^]+UnrecoverableError: no such address/);
    terminal.press('r');
    await terminal.until('Replay job job-1? y/n');
    terminal.press('y');
    await terminal.until('Job job-1 waits again.');
    await terminal.until('There are no dead letters.');
    terminal.press('escape');
    await terminal.until(/▸ mail +1 +0 +0 +0/);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 1, deadLetters: 0 });
  });

  it('r replays as many dead letters as are asked for', async () => {
    const queue = kit.queue();
    const worker = failing();
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'welcome', data: 'bad' })));
    const terminal = await watch();
    await terminal.until(/▸ mail +0 +0 +0 +5/);
    await worker.close();
    terminal.press('r');
    await terminal.until('Replay how many of 5 dead letters');
    terminal.press('3', 'enter');
    await terminal.until('Replay 3 dead letters of mail? y/n');
    terminal.press('y');
    await terminal.until('3 jobs wait again.');
    await terminal.until(/▸ mail +3 +0 +0 +2/);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 3, deadLetters: 2 });
  });

  it('w shows the workers, ? the keys, Esc leads back', async () => {
    failing();
    const terminal = await watch({ columns: 120 });
    await terminal.until('1 worker ·');
    terminal.press('w');
    await terminal.until(/Workers of mail · 1[^]+mailer[^]+0\/7/);
    expect(terminal.text).toContain(String(process.pid));
    terminal.press('escape');
    await terminal.until('▸ mail');
    terminal.press('?');
    await terminal.until(/Keys and words[^]+pause the queue/);
    terminal.press('?');
    await terminal.until('▸ mail');
  });

  it('shows the refusal of Redis, and goes on', async () => {
    await kit.queue().add('welcome', 1);
    await kit.client.call(
      'ACL',
      'SETUSER',
      'reader',
      'on',
      '>secret',
      '~*',
      '+@all',
      '-hset',
      '-hsetnx',
      '-hdel',
    );
    const url = kit.url.replace('://', '://reader:secret@');
    const terminal = await watch({ env: { CHASQUI_REDIS_URL: url } });
    await terminal.until(/▸ mail +1/);
    terminal.press('p');
    await terminal.until('y/n');
    terminal.press('y');
    await terminal.until(/can't run this command|no permission/i);
    expect(terminal.text).not.toContain('secret');
    await kit.client.call('ACL', 'DELUSER', 'reader');
  });
});

describe('the end', () => {
  const endings: [string, (terminal: Terminal) => void, number][] = [
    ['q', (terminal) => terminal.press('q'), 0],
    ['Ctrl-C', (terminal) => terminal.press('ctrl-c'), 0],
    ['SIGTERM', (terminal) => terminal.signal('SIGTERM'), 143],
    ['SIGINT', (terminal) => terminal.signal('SIGINT'), 130],
    ['SIGHUP', (terminal) => terminal.signal('SIGHUP'), 129],
  ];
  it.each(endings)('after %s the terminal is as before', async (_, end, code) => {
    await kit.queue().add('welcome', 1);
    const terminal = await terminals.run(['sh', '-c', 'echo before; exec "$@"', 'sh', ...watchCommand()]);
    await terminal.until(/▸ mail +1/);
    expect([terminal.isAlternateScreen, terminal.isCursorVisible]).toEqual([true, false]);
    end(terminal);
    const exit = await terminal.exit();
    expect(exit.code).toBe(code);
    expect([terminal.isAlternateScreen, terminal.isCursorVisible]).toEqual([false, true]);
    expect(terminal.text).toBe('before');
    expect(exit.modes).toMatch(/ icanon .* echo /);
  });

  it('Ctrl-Z gives the terminal back, and fg draws again', async () => {
    await kit.queue().add('welcome', 1);
    const shell = '"$@"; echo stopped; read -r line; fg > /dev/null';
    const terminal = await terminals.run(['bash', '-mc', shell, 'bash', ...watchCommand()]);
    await terminal.until(/▸ mail +1/);
    terminal.press('ctrl-z');
    await terminal.until('stopped');
    expect([terminal.isAlternateScreen, terminal.isCursorVisible]).toEqual([false, true]);
    terminal.press('enter');
    await terminal.until(() => terminal.isAlternateScreen && /▸ mail +1/.test(terminal.text));
    terminal.press('q');
    expect((await terminal.exit()).code).toBe(0);
  });

  it('--count ends it', async () => {
    await kit.queue().add('welcome', 1);
    const terminal = await watch('--count', '2');
    expect((await terminal.exit()).code).toBe(0);
    expect(terminal.isAlternateScreen).toBe(false);
  });
});

describe('when Redis goes away', () => {
  it('says so, and goes on when it is back', async () => {
    const queue = kit.queue();
    queue.on('error', () => {});
    await queue.add('welcome', 1);
    const terminal = await watch();
    await terminal.until(/live[^]+▸ mail +1/);
    await kit.server.kill();
    await terminal.until(/no connection[^]+Redis has not answered for/);
    expect(terminal.text).toMatch(/▸ mail +1/);
    await kit.server.restart();
    await terminal.until('● live');
    await kit.queue().add('welcome', 1);
    await terminal.until(/▸ mail +[12]/);
  });

  it('ends with 5 if Redis was never there', async () => {
    const terminal = await watch({ env: { CHASQUI_REDIS_URL: 'redis://127.0.0.1:1' } });
    const { code } = await terminal.exit();
    expect(code).toBe(5);
    expect(terminal.text).toContain('CMQ-001');
    expect(terminal.isAlternateScreen).toBe(false);
  });
});

describe('without a terminal', () => {
  let terminal: Terminal;
  beforeEach(() => failing());
  afterEach(() => terminal.kill());

  const piped = (...args: string[]): Promise<Terminal> =>
    terminals.run(['sh', '-c', '"$@" | cat', 'sh', ...watchCommand(...args)], { columns: 200 });

  it('prints lines', async () => {
    const queue = kit.queue();
    terminal = await piped();
    await terminal.until(/Z mail waiting 0 active 0 delayed 0 dead 0 oldest – queued 0\/s/);
    await queue.add('welcome', 'bad', { jobId: 'job-1' });
    await terminal.until(/mail failed: job job-1 welcome attempt 1, (failed|dead letter): no such address/);
    await terminal.until(/mail waiting 0 active 0 delayed 0 dead 1/);
    // eslint-disable-next-line no-control-regex -- any escape code
    expect(terminal.raw).not.toMatch(/\x1b/);
  });

  it('prints NDJSON after --json', async () => {
    await kit.queue().add('welcome', 1);
    terminal = await piped('--json', '--count', '2');
    expect((await terminal.exit()).code).toBe(0);
    const records = terminal.raw
      .trim()
      .split(/\r?\n/)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records).toHaveLength(2);
    expect(records[1]).toMatchObject({
      failures: [],
      queues: [
        {
          queue: 'mail',
          paused: false,
          deadLetters: 0,
          partial: false,
          problem: null,
          perSecond: { failed: 0 },
        },
      ],
    });
  });
});

function watchCommand(...args: string[]): string[] {
  return [...cliCommand(), 'watch', '--interval', '200ms', ...args];
}
