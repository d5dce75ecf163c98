import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../redis/contract/kit.js';
import { useRedis } from '../support/redis.js';
import { engine, fixture, fixturePath } from './support/worker.js';

const redis = useRedis();
const LEASE_MS = 1_000;
let folder: string;
let children: Child[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chasqui-processes-'));
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => child.kill('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

/** A worker in a process of its own: fixtures/engine/process.mjs. */
class Child {
  readonly lines: unknown[][] = [];
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(file: string | undefined, options: object = {}) {
    this.#process = spawn(
      process.execPath,
      ['--import', fixture('hooks.mjs').href, fixturePath('process.mjs'), JSON.stringify({ file, options })],
      {
        env: { ...process.env, REDIS_PORT: String(redis.port), IMPORTS: this.#imports },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.#exit = once(this.#process, 'exit');
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as unknown[]);
    });
    children.push(this);
  }

  get #imports(): string {
    return join(folder, 'imports');
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  of(event: string): unknown[][] {
    return this.lines.filter(([kind]) => kind === event).map(([, ...rest]) => rest);
  }

  async until(event: string, count = 1): Promise<unknown[][]> {
    await eventually(() => {
      expect(this.of(event).length, JSON.stringify(this.lines)).toBeGreaterThanOrEqual(count);
    }, 20_000);
    return this.of(event);
  }

  /** @returns its exit code and its signal */
  async kill(signal: NodeJS.Signals): Promise<unknown[]> {
    this.#process.kill(signal);
    return this.#exit;
  }

  /** What it has imported, and not required. */
  imports(): string {
    return readFileSync(this.#imports, 'utf8');
  }
}

const THREADS = { useWorkerThreads: { maxThreads: 2, terminateAfterMs: 200 }, claimMinIdleMs: LEASE_MS };
const processor = fixture('processor.mjs').href;

async function addHanging(count: number) {
  const queue = new engine.Queue('threads', { connection: redis.connection });
  const jobs = await queue.addBulk(Array.from({ length: count }, () => ({ name: 'hang', data: {} })));
  return { queue, ids: jobs.map(({ id }) => id) };
}

describe('a process with threads that spin', () => {
  it('takes its threads with it when it is killed, and its jobs run again, with the next attempt', async () => {
    const { queue, ids } = await addHanging(2);
    const doomed = new Child(processor, THREADS);
    expect((await doomed.until('active', 2)).map(([, attempt]) => attempt)).toEqual([1, 1]);
    expect(await doomed.kill('SIGKILL')).toEqual([null, 'SIGKILL']);
    expect(() => process.kill(doomed.pid, 0)).toThrow('ESRCH');

    const heir = new Child(processor, THREADS);
    const again = await heir.until('active', 2);
    expect(again.toSorted()).toEqual(ids.map((id) => [id, 2]).toSorted());
    expect(await queue.getActiveCount()).toBe(2);
    await queue.close();
  });

  it('ends by its deadline on SIGTERM, and gives its jobs back with no attempt used', async () => {
    const { queue, ids } = await addHanging(2);
    const child = new Child(processor, { ...THREADS, shutdownDeadlineSecs: 0.5 });
    await child.until('active', 2);
    const started = performance.now();
    expect(await child.kill('SIGTERM')).toEqual([0, null]);
    // The deadline, and two seconds for onThreadStop; the machine may have other work.
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(child.of('error')).toEqual([]);
    expect((await queue.getWaiting()).map(({ id, attemptsMade }) => [id, attemptsMade]).toSorted()).toEqual(
      ids.map((id) => [id, 0]).toSorted(),
    );
    const heir = new Child(processor, THREADS);
    expect((await heir.until('active', 2)).map(([, attempt]) => attempt)).toEqual([1, 1]);
    await queue.close();
  });
});

describe('piscina', () => {
  it.each([
    ['is not loaded by a process without threads', undefined, false],
    ['is loaded with the first worker that has threads', fixturePath('plain.cjs'), true],
  ])('%s', async (_what, file, isLoaded) => {
    const queue = new engine.Queue('threads', { connection: redis.connection });
    await queue.add('any', { to: 'ada' });
    const child = new Child(file, { autorun: true });
    await child.until('completed');
    expect(await child.kill('SIGTERM')).toEqual([0, null]);
    const [[found, files] = []] = child.of('closed');
    expect(found).toBe(isLoaded);
    expect(files).toBeGreaterThan(10);
    expect(child.imports()).toContain('dist/engine/index.js');
    expect(child.imports().includes('piscina')).toBe(isLoaded);
    await queue.close();
  });
});
