import { messageOf, type JobsOptions, type RepeatOptions } from '../../engine/index.js';
import { toRepeatableSpec } from '../../engine/timers/repeat/from-options.js';
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
  const { key = jobName, data = null, attempts, backoff, disabled = false, ...repeat } = settings;
  const options: SchedulePlan['options'] = {
    repeat,
    repeatJobKey: `${DECLARED}${key}`,
    ...(attempts === undefined ? {} : { attempts }),
    ...(backoff === undefined ? {} : { backoff }),
  };
  try {
    toRepeatableSpec(jobName, data, options);
  } catch (error) {
    throw invalid(location, messageOf(error), error);
  }
  return { location, jobName, key: options.repeatJobKey, data, disabled, options };
}

export function invalid(location: SourceLocation, problem: string, cause?: unknown): InvalidDecoratorError {
  return new InvalidDecoratorError('@Repeat', location, problem, { cause });
}
