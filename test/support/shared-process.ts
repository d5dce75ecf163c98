import { afterAll, beforeAll, expect, vi } from 'vitest';

/*
 * The files of the project `shared` run one after another in the same process. So each of them has to leave the process
 * as it was. One that does not fails itself, and not the file that comes after it.
 */

interface ProcessState {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly exitCode: typeof process.exitCode;
  readonly umask: number;
  /** How many listeners each event of the process has. */
  readonly listeners: Readonly<Record<string, number>>;
  readonly globals: readonly string[];
  readonly hasFakeTimers: boolean;
}

function processState(): ProcessState {
  return {
    cwd: process.cwd(),
    env: { ...process.env },
    exitCode: process.exitCode,
    umask: process.umask(),
    listeners: Object.fromEntries(
      process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    ),
    // By symbols, packages find themselves again, such as the `fetch` of Node.js when it is used first.
    globals: Object.getOwnPropertyNames(globalThis),
    hasFakeTimers: vi.isFakeTimers(),
  };
}

let before: ProcessState;

beforeAll(() => {
  before = processState();
});

// The hooks of the file run before this one: the last that was added is the first.
afterAll(() => {
  expect(processState(), 'the process after this file, and before it').toEqual(before);
});
