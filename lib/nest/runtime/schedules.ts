import { Injectable, Logger } from '@nestjs/common';
import { ConfigError, messageOf, type Queue, type RepeatableJobMeta } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { DECLARED, invalid, type SchedulePlan } from '../explorer/schedules.js';
import { takes } from '../explorer/routes.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import type { QueueRegistration } from './queue.registration.js';
import { QueueRegistry } from './queue.registry.js';

/** A queue of this process, and what the code says of it. */
interface Declared {
  readonly registration: QueueRegistration;
  readonly queue: Queue;
  /** Undefined where the queue has no processor here. */
  readonly plan: WorkerPlan | undefined;
  readonly schedules: readonly SchedulePlan[];
}

/** Registers what `@Repeat` declares, for the queues that this process works on, and looks for what is left over. */
@Injectable()
export class Schedules {
  readonly #logger = new Logger('Chasqui');
  constructor(private readonly queues: QueueRegistry) {}

  /**
   * Idempotent: every replica does it, and what is registered already stays as it is.
   *
   * @param names the queues to look at, also those that have no processor here
   */
  async register(plans: readonly WorkerPlan[], names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const registration = this.queues.get(name);
        if (!registration || !this.queues.worksOn(name)) return;
        const plan = plans.find(({ queue }) => queue === name);
        // Those of a queue without a processor here are another's affair, unless this application has declared them once.
        if (!plan && registration.schedules === undefined) return;
        const queue = this.queues.open(registration);
        await this.settle({ registration, queue, plan, schedules: plan?.schedules ?? [] });
      }),
    );
  }

  private async settle(declared: Declared): Promise<void> {
    const { registration, queue, schedules } = declared;
    const { owner, generation } = registration.schedules ?? {};
    if (
      owner !== undefined &&
      generation !== undefined &&
      !(await queue.claimRepeatables(owner, generation))
    ) {
      this.log(
        `A newer deployment of "${owner}" has declared the schedules of queue "${registration.name}": this one declares none.`,
      );
      return;
    }
    const disabled = new Set(schedules.filter(isDisabled));
    for (const schedule of disabled) await this.disable(declared, schedule);
    const enabled = schedules.filter((schedule) => !disabled.has(schedule));
    await Promise.all(enabled.map((schedule) => this.declare(declared, schedule)));
    await this.review(declared);
  }

  private async disable({ queue, registration }: Declared, { key }: SchedulePlan): Promise<void> {
    const removed = await queue.removeRepeatableByKey(key);
    const consequence = removed ? 'it was registered, and is removed' : 'it is not registered';
    this.log(`Schedule "${key}" of queue "${registration.name}" is disabled: ${consequence}.`);
  }

  private async declare({ queue, registration }: Declared, schedule: SchedulePlan): Promise<void> {
    const { location, jobName, key, data, options } = schedule;
    const { endDate } = options.repeat;
    if (endDate !== undefined && new Date(endDate).getTime() <= Date.now()) {
      this.log(`Schedule "${key}" of queue "${registration.name}" has ended: it is not registered.`);
      return;
    }
    const owner = registration.schedules?.owner;
    const repeat = owner === undefined ? options.repeat : { ...options.repeat, owner };
    try {
      await queue.add(jobName, data, { ...options, repeat });
    } catch (error) {
      throw error instanceof ConfigError ? invalid(location, messageOf(error), error) : error;
    }
  }

  /** What fires and is not declared here, or has no handler. */
  private async review(declared: Declared): Promise<void> {
    const { queue, registration, schedules } = declared;
    const known = new Set(schedules.map(({ key }) => key));
    for (const meta of await queue.getRepeatableJobs(Number.MAX_SAFE_INTEGER)) {
      const { key } = meta;
      if (known.has(key)) continue;
      const what = `Schedule "${key}" of queue "${registration.name}"`;
      if (this.isStale(declared, meta)) {
        if (this.removesStale(declared, meta)) {
          await queue.removeRepeatableByKey(key);
          this.log(`${what} is not in the code any more: it is removed.`);
          continue;
        }
        const option = registration.schedules ? 'schedules.removeUndeclared' : "staleSchedules: 'remove'";
        this.warn(
          `${what} is not in the code any more: it goes on${this.deadEnd(declared, meta)}. ` +
            `Remove it with queue.removeRepeatableByKey('${key}'), or set ${option}.`,
        );
      } else if (this.deadEnd(declared, meta) !== '') {
        this.warn(
          `${what} goes on${this.deadEnd(declared, meta)}. ` +
            `Add a handler, or remove the schedule with queue.removeRepeatableByKey('${key}').`,
        );
      }
    }
  }

  /** Declared once by this application, as far as can be told, and not now. */
  private isStale({ registration, plan }: Declared, { key, owner }: RepeatableJobMeta): boolean {
    if (!key.startsWith(DECLARED)) return false;
    if (owner !== undefined) return owner === registration.schedules?.owner;
    // By a version that did not say who it was.
    return plan !== undefined;
  }

  private removesStale({ registration }: Declared, { owner }: RepeatableJobMeta): boolean {
    if (registration.staleSchedules === 'remove') return true;
    return registration.schedules?.removeUndeclared === true && owner !== undefined;
  }

  /** Keys and names may come from other processes. */
  private log(line: string): void {
    this.#logger.log(printable(line));
  }

  private warn(line: string): void {
    this.#logger.warn(printable(line));
  }

  private deadEnd({ plan, registration }: Declared, { jobName }: RepeatableJobMeta): string {
    if (!plan || takes(plan.routes, jobName)) return '';
    // Another process may have the handler.
    if (registration.workerOptionsWith(plan.options).unknownJobs === 'release') return '';
    return `, and no handler takes its jobs ("${jobName}"), which become dead letters`;
  }
}

function isDisabled({ disabled, location }: SchedulePlan): boolean {
  let answer: unknown;
  try {
    answer = typeof disabled === 'function' ? disabled() : disabled;
  } catch (error) {
    throw invalid(location, `"disabled" threw: ${messageOf(error)}`, error);
  }
  if (typeof answer === 'boolean') return answer;
  // A text from the environment, "false" say, would count as true.
  throw invalid(
    location,
    `"disabled" must be true or false, or a function that returns one, not a ${typeof answer}.`,
  );
}
