import { ConfigError } from '../../engine/index.js';
import { checkOptions } from '../../engine/config/check-options.js';
import { boolean } from '../../engine/config/checks.js';
import { ENHANCER_KINDS, type EnhancerKind } from '../job-context/global-enhancers.js';
import type { GlobalEnhancerSettings } from '../module-options.js';

const SCHEMA = { guards: boolean, pipes: boolean, interceptors: boolean, filters: boolean };

/**
 * The kinds that `globalEnhancers` selects.
 *
 * @param owner the name of the options that contain it, for messages
 * @throws ConfigError (CMQ-004)
 */
export function enhancerKinds(
  owner: string,
  settings: GlobalEnhancerSettings = false,
): readonly EnhancerKind[] {
  if (typeof settings === 'boolean') return settings ? ENHANCER_KINDS : [];
  if (
    typeof (settings as unknown) !== 'object' ||
    (settings as unknown) === null ||
    Array.isArray(settings)
  ) {
    throw new ConfigError(
      `${owner}: option "globalEnhancers" must be true, false, or an object such as { pipes: true }.`,
    );
  }
  const checked = checkOptions(`${owner}, option "globalEnhancers"`, SCHEMA, settings);
  return ENHANCER_KINDS.filter((kind) => checked[kind]);
}
