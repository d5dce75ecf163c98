import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { embed } from './scripts/embed-lua.mjs';
import { blockModules } from './test/docs/support/block-modules.js';

const lib = fileURLToPath(new URL('./lib', import.meta.url));

// Each run has the scripts as they are in lua/ now.
embed();

/**
 * Each of these files has a process of its own: those of the first folders start processes or browsers, or block this one. The others
 * replace a module, register global providers of OpenTelemetry, or measure what this process keeps in memory.
 */
const ALONE = [
  'test/{bull-board,cli,fault,observe,package,samples,threads}/**/*.test.ts',
  'test/opentelemetry/**/*.test.ts',
  'test/redis/redis-server.test.ts',
  'test/redis/growth.test.ts',
];

const project = (name: string, test: { include: string[]; exclude?: string[]; isolate?: boolean }) =>
  ({
    plugins: [blockModules()],
    resolve: {
      // What the samples import by name is the source under test, not a build of it.
      alias: [
        { find: /^nestjs-chasqui$/, replacement: `${lib}/index.ts` },
        { find: /^nestjs-chasqui\/([a-z-]+)$/, replacement: `${lib}/$1/index.ts` },
      ],
    },
    test: {
      name,
      ...test,
      pool: 'forks',
      maxWorkers: 2,
      testTimeout: 20_000,
      hookTimeout: 60_000,
      restoreMocks: true,
      unstubEnvs: true,
      unstubGlobals: true,
    },
  }) satisfies TestProjectConfiguration;

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    maxWorkers: 2,
    projects: [
      project('alone', { include: ALONE }),
      // To load the package, Nest and Vitest takes a second of a processor, so the files that can share a process do.
      project('together', { include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false }),
    ],
  },
});
