import type { GroupLimits } from '../../engine/index.js';
import { plural, span } from '../output/values.js';

/** The defaults of groups in JSON; null where there is none. */
export function limitsJson({ concurrency, limit, strict = false }: GroupLimits): object {
  return { concurrency: concurrency ?? null, rate: limit ?? null, strict };
}

/** The defaults of groups in words; '' if there are none. */
export function limitsText({ concurrency, limit, strict = false }: GroupLimits): string {
  const limits: string[] = [];
  if (strict) limits.push('strictly one job after the other');
  else if (concurrency !== undefined) limits.push(`${plural(concurrency, 'job')} at once`);
  if (limit) limits.push(`${plural(limit.max, 'start')} in ${span(limit.duration)}`);
  return limits.join(', ');
}
