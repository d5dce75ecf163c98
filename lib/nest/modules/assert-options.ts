import { ConfigError } from '../../engine/index.js';
import { plainOptions } from '../../engine/config/check-options.js';

/**
 * The options of a module, as a plain object. A factory of an async module may return anything.
 * @throws ConfigError (CMQ-004)
 */
export function assertOptions<Options extends object>(method: string, options: Options): Options {
  if (typeof (options as unknown) === 'object' && (options as unknown) !== null) return plainOptions(options);
  throw new ConfigError(
    `ChasquiModule.${method}: the options must be an object, not ${options === null ? 'null' : typeof options} (a factory may have returned it).`,
  );
}
