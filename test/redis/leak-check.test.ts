import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs a file of tests, some of which fail on purpose, and tells what became of each. */
async function run(file: string): Promise<Map<string, { status: string; messages: string }>> {
  const args = [
    vitest,
    'run',
    '--config',
    'test/redis/fixtures/vitest.config.ts',
    '--reporter',
    'json',
    file,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root }).catch(
    (failed: unknown) => failed as { stdout: string },
  );
  const [module] = (JSON.parse(stdout) as Report).testResults;
  return new Map(
    module?.assertionResults.map(({ title, status, failureMessages }) => [
      title,
      { status, messages: failureMessages.join() },
    ]),
  );
}

describe('useRedis', () => {
  it('fails the test that leaks a connection, and no other', async () => {
    const results = await run('leaky.fixture.ts');
    expect(results.get('closes what it opened')?.status).toBe('passed');
    expect(results.get('leaks')?.status).toBe('failed');
    expect(results.get('leaks')?.messages).toMatch(/left 1 connection\(s\) to Redis open:.*name=leaked-one/s);
    expect(results.get('comes after the leak')?.status).toBe('passed');
  });

  it('lets a file opt out', async () => {
    expect((await run('opted-out.fixture.ts')).get('leaks')?.status).toBe('passed');
  });
});
