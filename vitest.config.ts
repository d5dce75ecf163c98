import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { embed } from './scripts/embed-lua.mjs';
import { blockModules } from './test/docs/support/block-modules.js';

const lib = fileURLToPath(new URL('./lib', import.meta.url));

// Each run has the scripts as they are in lua/ now.
embed();

/**
 * The files of these folders run one after another in the same processes, and so import the sources once per process.
 * They change nothing that a process has once, as others do with Nest's logger or the providers of OpenTelemetry.
 */
const SHARED_FOLDERS = ['cli', 'fault', 'redis', 'scaler', 'testing', 'unit'];
const SHARED = `test/{${SHARED_FOLDERS.join()}}/**/*.test.ts`;
/** All other folders: each file of these has a process of its own. */
const ISOLATED = `test/!(${SHARED_FOLDERS.join('|')})/**/*.test.ts`;
/** Of those folders, the files that need a process of their own: one measures its memory, one replaces a module. */
const ALONE = ['test/redis/growth.test.ts', 'test/redis/redis-server.test.ts'];

export default defineConfig({
  plugins: [blockModules()],
  resolve: {
    // What the samples import by name is the source under test, not a build of it.
    alias: [
      { find: /^nestjs-chasqui$/, replacement: `${lib}/index.ts` },
      { find: /^nestjs-chasqui\/([a-z-]+)$/, replacement: `${lib}/$1/index.ts` },
    ],
  },
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: { name: 'isolated', include: ['test/*.test.ts', ISOLATED, ...ALONE] },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: [SHARED],
          exclude: ALONE,
          isolate: false,
          setupFiles: ['test/support/shared-process.ts'],
        },
      },
    ],
  },
});
