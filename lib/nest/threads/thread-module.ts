import type { DynamicModule, Type } from '@nestjs/common';
import { ConfigError } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { isObject, readProperty } from '../../engine/base/safe-access.js';
import { listOf } from '../source-location.js';

type ThreadModule = Type | DynamicModule;

/** The metadata that `@Module` sets. */
const MODULE_KEYS = ['imports', 'providers', 'controllers', 'exports'];

/**
 * The module among what a file exports.
 * @param name the name of the export, if there is one
 * @throws ConfigError (CMQ-004)
 */
export async function moduleIn(
  file: string,
  exports: Readonly<Record<string, unknown>>,
  name: string | undefined,
): Promise<ThreadModule> {
  const shown = `"${printable(file)}"`;
  if (name !== undefined) {
    const named: unknown = await exports[name];
    if (isModule(named)) return named;
    throw new ConfigError(`${shown} exports no module of the name "${name}" (useWorkerThreads.export).`);
  }
  const main: unknown = await exports['default'];
  if (isModule(main)) return main;
  const modules = new Map<unknown, string>();
  for (const [key, value] of Object.entries(exports)) if (isModule(value)) modules.set(value, key);
  const [only, ...others] = modules.keys();
  if (only !== undefined && others.length === 0) return only as ThreadModule;
  throw new ConfigError(
    only === undefined
      ? `${shown} exports no module: export a class with @Module(), or a dynamic module.`
      : `${shown} exports more than one module: ${listOf([...modules.values()])}. Name one in useWorkerThreads.export.`,
  );
}

function isModule(value: unknown): value is ThreadModule {
  if (typeof value === 'function') return MODULE_KEYS.some((key) => Reflect.hasMetadata(key, value));
  return isObject(value) && typeof readProperty(value, 'module') === 'function';
}
