import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { embed } from './scripts/embed-lua.mjs';
import { blockModules } from './test/docs/support/block-modules.js';

const lib = fileURLToPath(new URL('./lib', import.meta.url));

// Each run has the scripts as they are in lua/ now.
embed();

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
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
