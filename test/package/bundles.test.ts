import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// As esbuild has it for any CommonJS dependency that loads a module of Node.js, as ioredis does.
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

it.each([
  { format: 'cjs', minify: false },
  { format: 'cjs', minify: true },
  { format: 'esm', minify: false },
  { format: 'esm', minify: true },
] as const)(
  'an app in one file runs jobs, with nothing beside it: $format, minified $minify',
  async (options) => {
    const folder = mkdtempSync(join(tmpdir(), 'chasqui-bundle-'));
    try {
      const outfile = join(folder, options.format === 'esm' ? 'app.mjs' : 'app.cjs');
      await build({
        entryPoints: [fileURLToPath(new URL('fixtures/bundled-app.ts', import.meta.url))],
        outfile,
        bundle: true,
        platform: 'node',
        // The package as it is built, not what our own tsconfig.json leads to.
        tsconfigRaw: {},
        ...options,
        ...(options.format === 'esm' ? { banner: { js: REQUIRE } } : {}),
      });
      const { stdout } = await promisify(execFile)(process.execPath, [outfile], {
        cwd: folder,
        env: { REDIS_PORT: String(redis.port) },
        timeout: 15_000,
      });
      expect(JSON.parse(stdout)).toEqual({
        version,
        result: 'sent to ada',
        failure: 'JobFailedError',
        reason: 'unrecoverable',
        renamed: [],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
