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

interface Ended {
  readonly id: string;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

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
    const jobs: [string, unknown][] = [
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
    ];
    const { ended, stdout } = await run(folder, jobs, { LOG: 'on' });
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
    // It closes the modules of the threads, and logs no start of them.
    const lines = stdout.split('\n');
    expect(lines.filter((line) => line.startsWith('destroyed in a thread'))).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith('destroyed in the process'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('Starting Nest application'))).toHaveLength(1);
  });

  it('ends a handler that hangs, and one that is cancelled, and goes on', async () => {
    const { ended } = await run(folder, [
      ['hang', {}],
      ['cancelled', {}],
      ['resize', { width: 1 }],
    ]);
    expect(ended[0]?.message).toContain('ran longer than its timeoutMs of 300 ms');
    expect(ended[1]?.message).toContain('cancelled');
    expect(ended[2]?.value).toMatchObject({ width: 1 });
  });

  it('does not boot where the module does not boot in a thread, and says why', async () => {
    const { boot } = await run(folder, [['resize', {}]], { FAIL_BOOT: 'thread' });
    expect(boot).toMatchObject({ name: 'ThreadBootError', code: 'CMQ-027' });
    expect((boot as Error).message).toContain('A thread of queue "images" cannot start');
    expect((boot as Error).message).toContain('no model file');
  });

  it.each([
    ['both', 'ConfigError', 'Worker "images": batches cannot run in threads'],
    ['process', 'ConfigError', 'Worker "images": batches cannot run in threads'],
    [
      'thread',
      'ThreadBootError',
      'ImagesProcessor.batched (ImagesModule) has "batches", and batches cannot run in threads',
    ],
  ])('does not boot with batches in its threads: %s', async (BATCHES, name, message) => {
    const { boot, ended } = await run(folder, [['batched', {}]], { BATCHES });
    expect(ended).toBeUndefined();
    expect(boot).toMatchObject({ name, message: expect.stringContaining(message) as string });
  });

  it('has no thread where this process does not work on the queue', async () => {
    const { stdout, boot } = await run(folder, [], { FAIL_BOOT: 'thread', WORKERS: 'none' });
    expect(boot).toBeUndefined();
    expect(stdout).not.toContain('destroyed in a thread');
  });

  it('runs the handlers in the process where forFeature says so', async () => {
    const { ended } = await run(folder, [['resize', { width: 5 }]], { THREADS: 'off' });
    expect(ended[0]?.value).toMatchObject({ width: 5, thread: 0 });
  });
});

describe('the connections of an app with threads', () => {
  it('are those of the app alone, until a handler in a thread uses a queue', async () => {
    const folder = compile('nest', 'cjs');
    folders.push(folder);
    const idle = await run(folder, [['resize', { width: 1 }]], { COUNT: 'connections' });
    const inProcess = await run(folder, [['resize', { width: 1 }]], { COUNT: 'connections', THREADS: 'off' });
    expect(count(idle.stdout)).toBe(count(inProcess.stdout));
    expect(count(idle.stdout)).toBeGreaterThan(0);
  });
});

function count(stdout: string): number {
  return Number(/CONNECTIONS (\d+)/.exec(stdout)?.[1]);
}
