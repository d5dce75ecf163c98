import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const root = fileURLToPath(new URL('../../', import.meta.url));
const fixture = (file: string): string => fileURLToPath(new URL(`fixtures/loaders/${file}`, import.meta.url));
/** Not run from the root: our own tsconfig.json leads to the sources. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const PROCESSORS = ['processor.ts', 'module.mts', 'common.cts'].map(fixture);

/** What each processor has returned. */
async function run(args: readonly string[], cwd = tmpdir()): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd,
    env: { ...process.env, REDIS_PORT: String(redis.port) },
    timeout: 60_000,
  });
  return JSON.parse(stdout);
}

describe('a processor file in TypeScript', () => {
  it('runs with tsx, whatever its extension is', async () => {
    expect(await run(['--import', TSX, fixture('run.ts'), ...PROCESSORS])).toEqual([
      'hello ada!',
      'hello ada!',
      'hello ada!',
    ]);
  });
});

describe('an app in bundles', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chasqui-bundles-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'nestjs-chasqui'), 'dir');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const bundle = (format: 'cjs' | 'esm', external: string[]) =>
    build({
      entryPoints: [fixture('run.ts'), fixture('processor.ts')],
      outdir: folder,
      outExtension: { '.js': format === 'cjs' ? '.cjs' : '.mjs' },
      bundle: true,
      platform: 'node',
      format,
      external,
      // The package as it is built, not what our own tsconfig.json leads to.
      tsconfigRaw: {},
      logLevel: 'silent',
    });

  it.each([
    ['cjs', 'run.cjs', 'processor.cjs'],
    ['esm', 'run.mjs', 'processor.mjs'],
  ] as const)(
    'has threads if the processor is an entry, and this package is external: %s',
    async (format, app, processor) => {
      await bundle(format, ['nestjs-chasqui', 'piscina']);
      expect(await run([join(folder, app), join(folder, processor)], folder)).toEqual(['hello ada!']);
    },
  );

  it('has none if this package is in the bundle, and says what to do; without a loader, nor has a file in TypeScript', async () => {
    await bundle('cjs', []);
    expect(await run([join(folder, 'run.cjs'), join(folder, 'processor.cjs')], folder)).toEqual([
      {
        code: 'CMQ-027',
        message: expect.stringContaining(
          'A bundler must leave nestjs-chasqui and piscina external',
        ) as string,
      },
    ]);
    await bundle('cjs', ['nestjs-chasqui', 'piscina']);
    const [end] = (await run([join(folder, 'run.cjs'), fixture('module.mts')], folder)) as {
      code: string;
      message: string;
    }[];
    expect(end?.code).toBe('CMQ-027');
    // Newer versions of Node.js remove the types, and refuse the enum.
    if (!('typescript' in process.features))
      expect(end?.message).toContain(
        'Threads have the loaders that the command line of Node.js names: node --import tsx',
      );
  });
});
