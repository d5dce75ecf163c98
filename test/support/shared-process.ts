import { afterAll, beforeAll, expect, vi } from 'vitest';

/*
 * The files of the project `shared` run one after another in the same process. So each of them has to leave the process
 * as it was. One that does not fails itself, and not the file that comes after it.
 */

/** What a process has once, by name. */
function processState(): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['cwd', process.cwd()],
    ['exitCode', process.exitCode],
    ['fake timers', vi.isFakeTimers()],
    ...process
      .eventNames()
      .map((name): [string, number] => [`listeners of ${String(name)}`, process.listenerCount(name)]),
    ...Object.entries(process.env).map(([name, value]): [string, unknown] => [`env ${name}`, value]),
    // Symbols are not compared: Node.js adds one when `fetch` is used first.
    ...Object.getOwnPropertyNames(globalThis).map((name): [string, boolean] => [`global ${name}`, true]),
  ]);
}

let before: ReadonlyMap<string, unknown>;

beforeAll(() => {
  before = processState();
});

// The hooks of the file run before this one: the last that was added is the first.
afterAll(() => {
  // Before each test, the configuration does this. After the last one, nothing else does.
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  const after = processState();
  const names = new Set([...before.keys(), ...after.keys()]);
  // Names alone: the environment may have secrets.
  const changed = [...names].filter((name) => before.get(name) !== after.get(name));
  expect(changed, 'what this file changed in the process and did not change back').toEqual([]);
});
