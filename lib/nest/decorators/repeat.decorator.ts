import type { JobsOptions, RepeatOptions } from '../../engine/index.js';
import { REPEAT_METADATA } from '../constants.js';
import { appendToMethod } from './metadata.js';

/** What `@Repeat` takes. It has no `limit`, because each startup would start the count again. */
export interface RepeatSettings
  extends
    Omit<RepeatOptions, 'limit' | 'count' | 'jobId' | 'owner' | 'key'>,
    Pick<JobsOptions, 'attempts' | 'backoff' | 'timeoutMs' | 'ttlMs' | 'expired'> {
  /** Payload of the jobs. Default null. */
  data?: unknown;
  /**
   * The key of this schedule within the queue. A changed schedule replaces the one with the same key. If a method has
   * several schedules, give each one a key. Default: the name of the job.
   */
  key?: string;
  /**
   * If true, the schedule is not registered. If it is registered already, it is removed, and its jobs still run. A
   * function is called when the application starts. Default false.
   *
   * @example `@Repeat('0 8 * * *', { disabled: process.env.DIGEST === 'off' })`
   */
  disabled?: boolean | (() => boolean);
}

export type RepeatMetadata = RepeatSettings;

/**
 * Adds a job with the method's `@OnJob` name at every slot of a schedule. Every process that works on the queue declares
 * the schedule at startup, and each slot runs once.
 *
 * @example
 * ```ts
 * @OnJob('digest')
 * @Repeat('0 8 * * *', { tz: 'Europe/Madrid' })
 * digest() {}
 *
 * @OnJob('poll')
 * @Repeat(60_000)
 * poll() {}
 * ```
 */
export function Repeat(
  patternOrEveryMs: string | number,
  settings?: Omit<RepeatSettings, 'pattern' | 'every'>,
): MethodDecorator;
export function Repeat(settings: RepeatSettings): MethodDecorator;
export function Repeat(
  schedule: string | number | RepeatSettings,
  settings?: RepeatSettings,
): MethodDecorator {
  return appendToMethod('@Repeat', REPEAT_METADATA, {
    ...settings,
    ...toSettings(schedule),
  } satisfies RepeatMetadata);
}

function toSettings(schedule: string | number | RepeatSettings): RepeatSettings {
  if (typeof schedule === 'string') return { pattern: schedule };
  return typeof schedule === 'number' ? { every: schedule } : schedule;
}
