import { ConfigError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { isDuration } from '../codec/extras.js';
import type { Extras } from '../codec/extras.js';
import type { TimeLimits } from '../config/options.js';
import type { JobLimits, WorkerSettings } from './settings.js';

/** The settings from which the limits of a job follow. */
export type LimitsSettings = Pick<WorkerSettings, 'limits' | 'limitsOf'>;

/**
 * The time limits of a job: its own come first, then those of its name, then those of the worker.
 * @param extras the job's own
 * @param onError is told what is wrong with `limitsOf` of the settings
 */
export function limitsOfJob(
  { limits, limitsOf }: LimitsSettings,
  name: string,
  extras: Extras | undefined,
  onError: (error: unknown) => void = () => undefined,
): JobLimits {
  const named = limitsOf ? withLimits(limits, limitsOfName(limitsOf, name, onError)) : limits;
  return extras ? withLimits(named, extras) : named;
}

/** False: only a job with extras can have a time to live. */
export function mayHaveTtl({ limits, limitsOf }: LimitsSettings): boolean {
  return limitsOf !== undefined || limits.ttlMs !== Infinity;
}

function limitsOfName(
  limitsOf: NonNullable<WorkerSettings['limitsOf']>,
  name: string,
  onError: (error: unknown) => void,
): TimeLimits | undefined {
  try {
    const limits = limitsOf(name);
    if (limits === undefined || isLimits(limits)) return limits;
    throw new ConfigError(
      `limitsOf("${printable(name)}") must return { timeoutMs?, ttlMs?, expired? } with times in ms above 0, or undefined. The limits of the worker apply.`,
    );
  } catch (error) {
    onError(error);
    return undefined;
  }
}

function withLimits(under: JobLimits, over: TimeLimits | undefined): JobLimits {
  if (!over) return under;
  const { timeoutMs = under.timeoutMs, ttlMs = under.ttlMs, expired = under.expired } = over;
  if (timeoutMs === under.timeoutMs && ttlMs === under.ttlMs && expired === under.expired) return under;
  return { timeoutMs, ttlMs, expired };
}

function isLimits(limits: unknown): limits is TimeLimits {
  if (typeof limits !== 'object' || limits === null || 'then' in limits) return false;
  const { timeoutMs = 1, ttlMs = 1, expired = 'drop' } = limits as TimeLimits;
  return isDuration(timeoutMs) && isDuration(ttlMs) && (expired === 'drop' || expired === 'dead-letter');
}
