import { createRequire } from 'node:module';
import { join } from 'node:path';
import { openDriver as openEngine } from './chasqui.mjs';

/**
 * Another version of this project, from the compiled checkout that `--before` names.
 *
 * @param {{ port: number }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver(options) {
  const require = createRequire(join(process.env.BENCH_BEFORE, 'package.json'));
  return openEngine({ ...options, engine: require(join(process.env.BENCH_BEFORE, 'dist/engine/index.js')) });
}
