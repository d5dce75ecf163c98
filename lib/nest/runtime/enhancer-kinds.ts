import { ENHANCER_KINDS, type EnhancerKind } from '../job-context/global-enhancers.js';
import type { GlobalEnhancerSettings } from '../module-options.js';

/** The kinds that `globalEnhancers` selects. */
export function enhancerKinds(settings: GlobalEnhancerSettings = false): readonly EnhancerKind[] {
  if (typeof settings === 'boolean') return settings ? ENHANCER_KINDS : [];
  return ENHANCER_KINDS.filter((kind) => settings[kind]);
}
