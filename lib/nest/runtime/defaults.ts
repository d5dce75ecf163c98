import { plainOptions } from '../../engine/config/check-options.js';

/** Merges options, later ones first; undefined counts as absent. */
export function withDefaults<Options extends object>(
  ...layers: readonly (Partial<Options> | undefined)[]
): Options {
  const merged: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [key, value] of Object.entries(plainOptions(layer ?? {}))) {
      if (value !== undefined) merged[key] = value;
    }
  }
  return merged as Options;
}
