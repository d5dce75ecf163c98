import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** What became of the tests of each file, some of which fail on purpose. */
const results = new Map<string, Map<string, { status: string; messages: string }>>();

beforeAll(async () => {
  const args = [vitest, 'run', '--config', 'test/redis/fixtures/vitest.config.ts', '--reporter', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root }).catch(
    (failed: unknown) => failed as { stdout: string },
  );
  for (const { name, assertionResults } of (JSON.parse(stdout) as Report).testResults) {
    const tests = assertionResults.map(
      ({ title, status, failureMessages }) => [title, { status, messages: failureMessages.join() }] as const,
    );
    results.set(basename(name), new Map(tests));
  }
});

describe('useRedis', () => {
  it('fails the test that leaks a connection, and no other', () => {
    const tests = results.get('leaky.fixture.ts');
    expect(tests?.get('closes what it opened')?.status).toBe('passed');
    expect(tests?.get('leaks')?.status).toBe('failed');
    expect(tests?.get('leaks')?.messages).toMatch(/left 1 connection\(s\) to Redis open:.*name=leaked-one/s);
    expect(tests?.get('comes after the leak')?.status).toBe('passed');
  });

  it('lets a file opt out', () => {
    expect(results.get('opted-out.fixture.ts')?.get('leaks')?.status).toBe('passed');
  });
});
