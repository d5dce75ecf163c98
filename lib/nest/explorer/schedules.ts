import { ConfigError, messageOf, type JobsOptions, type RepeatOptions } from '../../engine/index.js';
import { checkOptions, type Schema } from '../../engine/config/check-options.js';
import { anything, text } from '../../engine/config/checks.js';
import { jobSchema, limitsSchema } from '../../engine/config/options/job.js';
import { repeatSchema } from '../../engine/config/options/repeat.js';
import { toRepeatableSpec } from '../../engine/timers/repeat/from-options.js';
import { encodeSchedule } from '../../engine/timers/repeat/stored-schedule.js';
import type { RepeatMetadata } from '../decorators/repeat.decorator.js';
import { InvalidDecoratorError } from '../errors.js';
import type { SourceLocation } from '../source-location.js';
import type { HandlerDeclaration } from './declarations.js';
import { locationOf } from './host.js';

/** A schedule that the code declares. */
export interface SchedulePlan {
  readonly location: SourceLocation;
  readonly jobName: string;
  readonly key: string;
  readonly data: unknown;
  readonly disabled: boolean | (() => boolean);
  readonly options: JobsOptions & { readonly repeat: RepeatOptions; readonly repeatJobKey: string };
}

/** The prefix of the keys of schedules that `@Repeat` declares. Schedules that the application adds at run time lack it. */
export const DECLARED = '@Repeat:';

/** @throws InvalidDecoratorError */
export function planSchedules(handlers: readonly HandlerDeclaration[]): readonly SchedulePlan[] {
  const plans = new Map<string, SchedulePlan>();
  for (const handler of handlers) {
    for (const settings of handler.schedules) {
      const plan = toPlan(handler, settings);
      if (plans.has(plan.key)) {
        throw invalid(
          plan.location,
          `the queue has another schedule with the key "${plan.key.slice(DECLARED.length)}". Give each schedule its own key: @Repeat({ key: … }).`,
        );
      }
      plans.set(plan.key, plan);
    }
  }
  return [...plans.values()];
}

function toPlan(handler: HandlerDeclaration, settings: RepeatMetadata): SchedulePlan {
  const location = locationOf(handler.host, handler.methodName);
  const names = handler.names.filter((name) => typeof name === 'string');
  const [jobName] = names;
  if (jobName === undefined || names.length > 1) {
    throw invalid(
      location,
      'the method needs exactly one @OnJob name. The jobs of the schedule get that name.',
    );
  }
  try {
    const { key = jobName, data = null, disabled = false, ...rest } = checked(settings);
    const { attempts, backoff, timeoutMs, ttlMs, expired, ...repeat } = rest;
    const options: SchedulePlan['options'] = {
      repeat,
      repeatJobKey: `${DECLARED}${key}`,
      ...(attempts === undefined ? {} : { attempts }),
      ...(backoff === undefined ? {} : { backoff }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(expired === undefined ? {} : { expired }),
    };
    // The largest payload is an option of the queue, which checks it when the schedule is declared.
    encodeSchedule(toRepeatableSpec(jobName, data, options), Infinity);
    return { location, jobName, key: options.repeatJobKey, data, disabled, options };
  } catch (error) {
    throw invalid(location, messageOf(error), error);
  }
}

/** Options of `queue.add` that `@Repeat` does not have, and what to do instead. */
const OF_QUEUE_ADD = {
  limit: 'Each startup would start the count again. Add a limited schedule with queue.add',
  count: 'It belongs to "limit". Add a limited schedule with queue.add',
  jobId: 'The id of a job contains the key of its schedule. Set "key"',
  repeatJobKey: 'Set "key"',
  owner: 'Set "schedules" in ChasquiModule.forRoot',
};

const { pattern, every, offset, immediately, startDate, endDate, tz, missedFires, skipIfRunning } =
  repeatSchema;
const SETTINGS: Schema<RepeatMetadata> = {
  ...{ pattern, every, offset, immediately, startDate, endDate, tz, missedFires, skipIfRunning },
  ...limitsSchema,
  attempts: jobSchema.attempts,
  backoff: jobSchema.backoff,
  data: anything,
  key: text,
  // `Schedules` checks it.
  disabled: anything,
};

/** @throws ConfigError (CMQ-004) */
function checked(settings: RepeatMetadata): RepeatMetadata {
  for (const [option, instead] of Object.entries(OF_QUEUE_ADD)) {
    if (Object.hasOwn(settings, option)) {
      throw new ConfigError(`there is no option "${option}" here. ${instead}.`);
    }
  }
  return checkOptions('settings', SETTINGS, settings);
}

export function invalid(location: SourceLocation, problem: string, cause?: unknown): InvalidDecoratorError {
  return new InvalidDecoratorError('@Repeat', location, problem, { cause });
}
