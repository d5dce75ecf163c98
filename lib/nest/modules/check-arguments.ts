import { ConfigError } from '../../engine/index.js';
import { checkOptions, optionsObject, plainOptions, type Schema } from '../../engine/config/check-options.js';
import { boolean, text, type Check } from '../../engine/config/checks.js';
import type { ChasquiFeatureExtras, ChasquiModuleExtras } from '../module-options.js';
import { FACTORY_OPTIONS, token } from '../option-schemas.js';

/** The options that Nest needs before it creates any provider. */
type Extras = ChasquiModuleExtras & Partial<ChasquiFeatureExtras>;

const list: Check = (value) => (Array.isArray(value) ? undefined : 'must be an array');
const callable: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const classRef: Check = (value) => (typeof value === 'function' ? undefined : 'must be a class');

const EXTRAS = { name: text, connectionName: text, isGlobal: boolean } satisfies Schema<Extras>;
const FACTORIES = { useFactory: callable, useClass: classRef, useExisting: token };
const ASYNC = { ...FACTORIES, inject: list, imports: list, provideInjectionTokensFrom: list };

/**
 * Checks that the argument is an options object, and its extras. The other options are checked when the application starts.
 * @throws ConfigError (CMQ-004)
 */
export function checkModuleOptions<Options extends Extras>(
  method: string,
  options: Options,
  required: readonly (keyof Extras)[] = [],
): Options {
  const owner = `ChasquiModule.${method}`;
  const plain = plainObject(owner, options);
  const { name, connectionName, isGlobal } = plain;
  checkOptions<Record<string, unknown>>(owner, EXTRAS, { name, connectionName, isGlobal }, required);
  return plain;
}

/**
 * Checks the argument of `forRootAsync` or `forFeatureAsync`.
 *
 * @param extras the options that stand next to the factory
 * @throws ConfigError (CMQ-004)
 */
export function checkAsyncOptions<Options extends object>(
  method: string,
  options: Options,
  extras: readonly (keyof Extras)[],
  required: readonly (keyof Extras)[] = [],
): Options {
  const owner = `ChasquiModule.${method}`;
  const misplaced = Object.keys(plainObject(owner, options)).find((key) => FACTORY_OPTIONS.has(key));
  if (misplaced !== undefined) {
    throw new ConfigError(`${owner}: return the option "${misplaced}" from the factory.`);
  }
  const schema: Record<string, Check> = { ...ASYNC };
  for (const extra of extras) schema[extra] = EXTRAS[extra];
  const checked = checkOptions(owner, schema as Schema<Options>, options, required as readonly never[]);
  const factories = Object.keys(FACTORIES).filter((key) => key in checked);
  if (factories.length === 1) return checked;
  throw new ConfigError(
    `${owner}: set ${factories.length === 0 ? 'useFactory, a function that returns the options, or useClass, or useExisting' : `only one of ${factories.join(' and ')}`}.`,
  );
}

/**
 * The options of a module as a plain object.
 * @throws ConfigError (CMQ-004) unless they are an object
 */
export function plainObject<Options extends object>(owner: string, options: Options): Options {
  const wrong = optionsObject(options);
  if (wrong !== undefined) throw new ConfigError(`${owner}: options ${wrong}.`);
  return plainOptions(options);
}
