import { expect, it, vi } from 'vitest';
import { useKit } from '../redis/contract/kit.js';
import { useTerminals } from './support/terminal.js';
import type { Terminal, TerminalOptions } from './support/terminal.js';

vi.setConfig({ testTimeout: 60_000 });

const kit = useKit();
const terminals = useTerminals(() => ({ env: { CHASQUI_REDIS_URL: kit.url } }));
const bench = (...args: (string | TerminalOptions)[]): Promise<Terminal> =>
  terminals.chasqui('bench', '--jobs', '2000', ...args);

it('measures, prints a table, and removes its queue', async () => {
  const terminal = await bench();
  await terminal.until(/(Round trips|Single adds|Adds in bulk|Runs|Starts) +\[=*/);
  expect((await terminal.exit()).code).toBe(0);
  expect(terminal.text).toMatch(/add in bulk +[\d,]{3,}/);
  expect(terminal.text).toMatch(/run, with a handler that does nothing +[\d,]{3,}/);
  expect(terminal.text).toMatch(/round trip +\d+\.\d+ +\d+\.\d+ +\d+\.\d+/);
  expect(await kit.keys()).toEqual([]);
});

it('prints JSON', async () => {
  const terminal = await bench('--json', '--payload', '1000', '--concurrency', '5', { columns: 1_000 });
  expect((await terminal.exit()).code).toBe(0);
  const result = JSON.parse(terminal.raw) as Record<string, unknown>;
  expect(result).toMatchObject({ jobs: 2000, concurrency: 5, payloadBytes: 1000 });
  for (const name of ['addedPerSecond', 'ranPerSecond']) expect(result[name]).toBeGreaterThan(0);
  for (const name of ['roundTripMs', 'addMs', 'pickupMs']) {
    const { p50, p99, max } = result[name] as { p50: number; p99: number; max: number };
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
  }
});

it('asks first if other queues have jobs, and --yes answers', async () => {
  await kit.queue().add('welcome', 1);
  const before = await kit.snapshot();
  const asked = await bench();
  await asked.until('This Redis is in use: 1 queue with 1 jobs.');
  asked.press('n', 'enter');
  expect((await asked.exit()).code).toBe(4);
  expect(await kit.snapshot()).toEqual(before);
  const agreed = await bench('--yes');
  expect((await agreed.exit()).code).toBe(0);
  expect(await kit.snapshot()).toEqual(before);
});

it('removes its queue after Ctrl-C', async () => {
  const terminal = await terminals.chasqui('bench', '--jobs', '1000000');
  await terminal.until(/Adds in bulk +\[=/);
  expect(await kit.keys()).not.toEqual([]);
  terminal.press('ctrl-c');
  expect((await terminal.exit()).code).toBe(130);
  expect(await kit.keys()).toEqual([]);
});

it.each([
  [['--jobs', '0'], 'at least 1'],
  [['--jobs', '99999999'], '--jobs must be at most'],
  [['--payload', '2000000'], '--payload must be at most'],
])('refuses %j', async (args, message) => {
  const terminal = await bench(...args);
  expect((await terminal.exit()).code).toBe(2);
  expect(terminal.text).toContain(message);
});
