import { ConfigError, type TimeLimits } from '../../engine/index.js';
import { checkOptions } from '../../engine/config/check-options.js';
import { limitsSchema } from '../../engine/config/options/job.js';
import type { OnJobOptions } from '../decorators/on-job.decorator.js';

/**
 * The limits of the jobs of a method, from all of its `@OnJob`; undefined if it has none.
 * @throws ConfigError (CMQ-004) for a wrong option, or for two values of one option
 */
export function limitsOfHandler(options: readonly OnJobOptions[]): TimeLimits | undefined {
  const limits: Record<string, unknown> = {};
  for (const given of options) {
    const checked: Record<string, unknown> = { ...checkOptions<TimeLimits>('options', limitsSchema, given) };
    for (const [option, value] of Object.entries(checked)) {
      const other = limits[option] ?? value;
      if (other !== value) {
        throw new ConfigError(
          `the method has ${option}: ${String(other)} and ${option}: ${String(value)}. An option applies to all names of the method: set it once, or make two methods.`,
        );
      }
      limits[option] = value;
    }
  }
  return Object.keys(limits).length === 0 ? undefined : limits;
}
