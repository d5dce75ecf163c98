import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { cliCommand } from './support/terminal.js';

/** Prints the packages that the process has loaded. */
const HOOK = `
  import { Module } from 'node:module';
  process.on('exit', () => {
    const names = Object.keys(Module._cache).flatMap((file) => /node_modules.([^/]+)/.exec(file)?.[1] ?? []);
    process.stderr.write('loaded ' + [...new Set(names)].sort().join() + '\\n');
  });
`;

function loadedBy(...args: string[]): string[] {
  const [node = '', main = ''] = cliCommand();
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  const { stderr } = spawnSync(node, ['--import', hook, main, ...args], { encoding: 'utf8' });
  return /^loaded (.*)$/m.exec(stderr)?.[1]?.split(',') ?? [];
}

it.each([[['--help']], [['watch', '--help']], [['--version']]])('%j loads nothing but commander', (args) => {
  expect(loadedBy(...args)).toEqual(['commander']);
});

it('a command without a live screen loads neither ink nor react', () => {
  const loaded = loadedBy('inspect', '--redis-url', 'redis://127.0.0.1:1', '--timeout', '500ms');
  expect(loaded).toContain('ioredis');
  expect(loaded).not.toContain('react');
  expect(loaded).not.toContain('yoga-layout');
});
