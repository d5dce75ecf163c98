import type { JobsOptions, RepeatOptions } from '../../engine/index.js';
import { REPEAT_METADATA } from '../constants.js';
import { appendToMethod } from './metadata.js';

/** What `@Repeat` takes. A number of fires is no part of it: each start of an application would begin it again. */
export interface RepeatSettings
  extends
    Omit<RepeatOptions, 'limit' | 'immediately' | 'jobId' | 'owner'>,
    Pick<JobsOptions, 'attempts' | 'backoff'> {
  /** Payload of the jobs. Default null. */
  data?: unknown;
  /**
   * What tells this schedule from the others of the queue. Default: the job's name; a method with several schedules must
   * give keys. A schedule that changes under the same key replaces the old one.
   */
  key?: string;
  /**
   * True: the schedule is not registered, and one that is registered under its key is removed; its jobs still run. A
   * function is asked when the application starts. Default false.
   *
   * @example `@Repeat('0 8 * * *', { disabled: process.env.DIGEST === 'off' })`
   */
  disabled?: boolean | (() => boolean);
}

export type RepeatMetadata = RepeatSettings;

/**
 * Adds a job for this method, of its `@OnJob` name, at every slot of a schedule. Every replica that works on the queue
 * declares it at start; each slot is run once all the same.
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
