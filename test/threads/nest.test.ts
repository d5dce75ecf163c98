import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';
import { clean, compile } from './support/compile.js';

const redis = useRedis();
const folders: string[] = [];

afterAll(() => {
  folders.forEach(clean);
});

type Ended = { id: string; value?: unknown; code?: string; message?: string };

/** Runs the compiled app as a process of its own. */
async function run(folder: string, jobs: readonly [string, unknown][], env: NodeJS.ProcessEnv = {}) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(folder, 'main.js'), JSON.stringify(jobs)],
    { cwd: folder, env: { ...process.env, REDIS_PORT: String(redis.port), ...env }, timeout: 30_000 },
  ).catch((error: unknown) => error as { stdout: string });
  const after = (mark: string): unknown => {
    const line = stdout.split('\n').find((candidate) => candidate.startsWith(mark));
    return line === undefined ? undefined : JSON.parse(line.slice(mark.length));
  };
  return { stdout, ended: after('RESULT ') as Ended[], boot: after('BOOT ') };
}

describe.each(['cjs', 'esm'] as const)('an app compiled to %s', (format) => {
  const folder = compile('nest', format);
  folders.push(folder);

  it('runs @OnJob methods in threads, with the providers, guards, pipes, interceptors and filters of the module', async () => {
    const { ended } = await run(folder, [
      ['resize', { width: 7 }],
      ['guarded', { width: 2 }],
      ['guarded', { width: 3 }],
      ['piped', { width: 4 }],
      ['piped', {}],
      ['wrapped', {}],
      ['filtered', {}],
      ['scoped', {}],
      ['adds', {}],
      ['current', {}],
      ['nowhere', {}],
      ['unknown', {}],
    ]);
    const [resize, even, odd, piped, refused, wrapped, filtered, scoped, adds, current, nowhere, unknown] =
      ended as [Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended];
    const { thread, made, hooks } = resize.value as Record<string, unknown>;
    expect(thread).toBeGreaterThan(0);
    expect(made).toBe(thread);
    expect(hooks).toEqual(['bootstrap']);
    expect(even.value).toBeGreaterThan(0);
    expect(odd.message).toContain('Job refused by a guard of ImagesProcessor.guarded');
    expect(piped.value).toBe(8);
    expect(refused.message).toContain('width is missing');
    expect((wrapped.value as { wrapped: number }).wrapped).toBeGreaterThan(0);
    expect(filtered.value).toMatchObject({ filtered: 'short and stout' });
    expect((filtered.value as { thread: number }).thread).toBeGreaterThan(0);
    expect(scoped.value).toBe(scoped.id);
    expect(adds.value).toBe(`after-${adds.id}`);
    expect(current.value).toBe(current.id);
    expect(nowhere.value).toEqual({ aborted: false });
    expect(unknown.message).toContain('No handler for the job name "unknown" of the queue "images"');
  });
});
