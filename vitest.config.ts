import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { embed } from './scripts/embed-lua.mjs';
import { blockModules } from './test/docs/support/block-modules.js';

const lib = fileURLToPath(new URL('./lib', import.meta.url));

// Each run has the scripts as they are in lua/ now.
embed();

/**
 * Their files run one after another in the same processes, and so import the sources once per process. They neither
 * replace modules nor change what a process has once: Nest's logger, the providers of OpenTelemetry, the browser's page.
 */
const SHARED_FOLDERS = ['cli', 'fault', 'redis', 'scaler', 'testing', 'unit'];
const SHARED = `test/{${SHARED_FOLDERS.join()}}/**/*.test.ts`;
/** All other folders: each file of these has a process of its own. */
const ISOLATED = `test/!(${SHARED_FOLDERS.join('|')})/**/*.test.ts`;
/** This one replaces a module. */
const REPLACES_MODULES = ['test/redis/redis-server.test.ts'];

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
        test: { name: 'isolated', include: ['test/*.test.ts', ISOLATED, ...REPLACES_MODULES] },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: [SHARED],
          exclude: REPLACES_MODULES,
          isolate: false,
          setupFiles: ['test/support/shared-process.ts'],
        },
      },
    ],
  },
});
