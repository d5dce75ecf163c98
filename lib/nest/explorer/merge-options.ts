import { inspect, isDeepStrictEqual } from 'node:util';
import { ConflictingOptionsError } from '../errors.js';
import { locationOf, type Host } from './host.js';

/**
 * Merges the options of all classes that share one worker, or one subscription, of a queue.
 * @throws ConflictingOptionsError if two classes set different values of one option
 */
export function mergeOptions<Options extends object>(
  decorator: string,
  queue: string,
  declarations: readonly { readonly host: Host; readonly options: Options }[],
): Options {
  const merged = new Map<string, { readonly host: Host; readonly value: unknown }>();
  for (const { host, options } of declarations) {
    for (const [key, value] of Object.entries(options) as [string, unknown][]) {
      if (value === undefined) continue;
      const other = merged.get(key);
      if (!other) merged.set(key, { host, value });
      else if (!isDeepStrictEqual(other.value, value)) {
        throw new ConflictingOptionsError(queue, key, decorator, [
          { location: locationOf(other.host), value: print(other.value) },
          { location: locationOf(host), value: print(value) },
        ]);
      }
    }
  }
  return Object.fromEntries([...merged].map(([key, { value }]) => [key, value])) as Options;
}

function print(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity });
}
