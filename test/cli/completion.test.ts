import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';
import { temporaryFolder } from './support/folder.js';
import { run, usePipes } from './support/piped.js';
import { cliCommand, useTerminals } from './support/terminal.js';

const redis = useRedis();
const folder = temporaryFolder();
const environment = () => ({
  CHASQUI_REDIS_URL: redis.url,
  PATH: `${folder()}:${process.env['PATH'] ?? ''}`,
});
const chasqui = usePipes(environment);
const terminals = useTerminals(() => ({ env: environment() }));
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

beforeAll(() => {
  // The scripts call the program by its name.
  symlinkSync(cliCommand()[1]!, join(folder(), 'chasqui'));
});

beforeEach(async () => {
  for (const queue of ['emails', 'emails:eu', 'my queue', 'reports']) {
    await redis.client.xadd(`{chasqui:${queue}}:stream`, '*', 'd', '');
  }
});

/** What bash offers for a line with the cursor at its end. */
async function bash(line: string): Promise<string[]> {
  const script = `eval "$(chasqui completion bash)"
    COMP_LINE="$1"; COMP_POINT=\${#1}; read -ra COMP_WORDS <<<"$1"
    _chasqui
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, out, err } = await run(['bash', '-c', script, 'bash', line], { env: environment() });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out.split('\n').filter((each) => each !== '');
}

describe('completion in bash', () => {
  it.each([
    ['chasqui dl', ['dlq']],
    ['chasqui dlq re', ['replay']],
    ['chasqui inspect em', ['emails', 'emails:eu']],
    ['chasqui inspect emails:', ['eu']],
    ['chasqui inspect my', [String.raw`my\ queue`]],
    ['chasqui dlq drop emails --rea', ['--reason']],
    ['chasqui dlq drop emails --reason unr', ['unrecoverable']],
    ['chasqui dlq drop emails --reason=unr', ['unrecoverable']],
    ['chasqui completion ', ['bash', 'zsh', 'fish']],
    ['chasqui --json repeatable p', ['pause']],
    ['chasqui nonsense ', []],
  ])('%s', async (line, expected) => {
    expect(await bash(line)).toEqual(expected);
  });

  it('works in an interactive bash, with the Tab key', async () => {
    const terminal = await terminals.run(['bash', '--norc', '--noprofile', '-i'], { columns: 100 });
    terminal.press('PS1="ready> "; eval "$(chasqui completion bash)"', 'enter');
    await terminal.until(/^ready>$/m);
    terminal.press('echo start; chasqui dlq pe', 'tab');
    await terminal.until('chasqui dlq peek');
    terminal.press('rep', 'tab');
    await terminal.until('chasqui dlq peek reports');
  });
});

describe.skipIf(!has('fish'))('completion in fish', () => {
  it.each([
    ['chasqui dlq re', 'replay\trun dead letters again'],
    ['chasqui inspect emails:', 'emails:eu'],
    ['chasqui inspect my', 'my queue'],
  ])('%s', async (line, expected) => {
    const script = `chasqui completion fish | source; complete -C ${JSON.stringify(line)}`;
    const { out } = await run(['fish', '-N', '-c', script], {
      env: { ...environment(), HOME: folder(), TERM: 'dumb' },
    });
    expect(out.trimEnd()).toBe(expected);
  });
});

describe.skipIf(!has('zsh'))('completion in zsh', () => {
  it('completes commands and queues with the Tab key', async () => {
    const terminal = await terminals.run(['zsh', '-f', '-i'], { columns: 100, env: { HOME: folder() } });
    terminal.press(
      'PS1="ready> "; autoload -U compinit; compinit -D -u; source <(chasqui completion zsh); print loaded',
      'enter',
    );
    await terminal.until(/^loaded$/m);
    terminal.press('chasqui dlq pe', 'tab');
    await terminal.until('chasqui dlq peek');
    terminal.press('rep', 'tab');
    await terminal.until('chasqui dlq peek reports');
  });
});

describe('completion', () => {
  it('offers no queues and prints no error when Redis is away, and does not make the shell wait', async () => {
    const begun = performance.now();
    const { code, out, err } = await chasqui('__complete', '--line', 'chasqui inspect ', {
      env: { CHASQUI_REDIS_URL: 'redis://127.0.0.1:1' },
    });
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: '' });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('uses the connection options on the line', async () => {
    const line = `chasqui --redis-url ${redis.url} inspect rep`;
    const { out } = await chasqui('__complete', '--line', line, {
      env: { CHASQUI_REDIS_URL: 'redis://127.0.0.1:1' },
    });
    expect(out).toBe('reports\n');
  });

  it('leaves out names that a shell could not show', async () => {
    await redis.client.xadd('{chasqui:bad\u001b[31m}:stream', '*', 'd', '');
    const { out } = await chasqui('__complete', '--line', 'chasqui inspect b');
    expect(out).toBe('');
  });

  it('of an unknown shell is refused', async () => {
    const { code, err } = await chasqui('completion', 'tcsh');
    expect(code).toBe(2);
    expect(err).toContain('bash, zsh, fish');
  });
});
