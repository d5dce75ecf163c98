import { Injectable, Logger } from '@nestjs/common';
import { ERROR_CODES, messageOf, type Queue, type RepeatableJobMeta } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { readProperty } from '../../engine/base/safe-access.js';
import { DECLARED, invalid, type SchedulePlan } from '../explorer/schedules.js';
import { handles } from '../explorer/routes.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import type { QueueRegistration } from './queue.registration.js';
import { QueueRegistry } from './queue.registry.js';

/** The codes of errors that only a change of the schedule or of the options fixes. Other errors are not its own. */
const OF_THE_CODE: ReadonlySet<unknown> = new Set([
  ERROR_CODES.config,
  ERROR_CODES.encode,
  ERROR_CODES.oversizePayload,
]);

/** A queue of this process, and the schedules that the code declares for it. */
interface Declared {
  readonly registration: QueueRegistration;
  readonly queue: Queue;
  /** Undefined if the queue has no processor in this process. */
  readonly plan: WorkerPlan | undefined;
  readonly schedules: readonly SchedulePlan[];
}

/** Registers the schedules of `@Repeat` for the queues that this process works on, and finds schedules that are left over. */
@Injectable()
export class Schedules {
  readonly #logger = new Logger('Chasqui');
  constructor(private readonly queues: QueueRegistry) {}

  /**
   * Idempotent: every process calls it, and a schedule that is registered already stays as it is.
   *
   * @param names the queues to check, including those that have no processor in this process
   */
  async register(plans: readonly WorkerPlan[], names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const registration = this.queues.get(name);
        if (!registration || !this.queues.worksOn(name)) return;
        const plan = plans.find(({ queue }) => queue === name);
        // Another application looks after a queue without a processor here, unless this one has declared schedules for it.
        if (!plan && registration.schedules === undefined) return;
        const queue = this.queues.open(registration);
        await this.settle({ registration, queue, plan, schedules: plan?.schedules ?? [] });
      }),
    );
  }

  private async settle(declared: Declared): Promise<void> {
    const { registration, queue, schedules } = declared;
    const { owner, generation } = registration.schedules ?? {};
    // A claim changes no schedule. If this process dies after it, or in the middle of the changes below, the next boot of
    // the same deployment claims again, declares what is missing and removes what is left. If a newer deployment claims
    // meanwhile, each change below is checked against it in Redis, and is not made.
    if (
      owner !== undefined &&
      generation !== undefined &&
      !(await queue.claimRepeatables(owner, generation))
    ) {
      this.log(
        `A newer deployment of "${owner}" has declared the schedules of queue "${registration.name}", so this process declares none.`,
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
    const removed = await queue.removeRepeatableByKey(key, registration.schedules?.owner);
    const consequence = removed ? 'it was registered and has been removed' : 'it is not registered';
    this.log(`Schedule "${key}" of queue "${registration.name}" is disabled: ${consequence}.`);
  }

  private async declare({ queue, registration }: Declared, schedule: SchedulePlan): Promise<void> {
    const { location, jobName, key, data, options } = schedule;
    const { endDate } = options.repeat;
    if (endDate !== undefined && new Date(endDate).getTime() <= Date.now()) {
      this.log(
        `Schedule "${key}" of queue "${registration.name}" is past its endDate, so it is not registered.`,
      );
      return;
    }
    const owner = registration.schedules?.owner;
    const repeat = owner === undefined ? options.repeat : { ...options.repeat, owner };
    try {
      await queue.add(jobName, data, { ...options, repeat });
    } catch (error) {
      throw OF_THE_CODE.has(readProperty(error, 'code')) ? invalid(location, messageOf(error), error) : error;
    }
  }

  /** Reports schedules that keep running but are not declared here, or whose jobs have no handler. */
  private async review(declared: Declared): Promise<void> {
    const { queue, registration, schedules } = declared;
    const known = new Set(schedules.map(({ key }) => key));
    for (const meta of await queue.getRepeatableJobs(Number.MAX_SAFE_INTEGER)) {
      const { key } = meta;
      if (known.has(key)) continue;
      const what = `Schedule "${key}" of queue "${registration.name}"`;
      if (this.isStale(declared, meta)) {
        if (this.removesStale(declared, meta)) {
          if (await queue.removeRepeatableByKey(key, registration.schedules?.owner)) {
            this.log(`${what} is no longer in the code, so it has been removed.`);
          }
          continue;
        }
        const option = registration.schedules ? 'schedules.removeUndeclared' : "staleSchedules: 'remove'";
        this.warn(
          `${what} is no longer in the code, but it keeps running${this.deadEnd(declared, meta)}. ` +
            `Remove it with queue.removeRepeatableByKey('${key}'), or set ${option}.`,
        );
      } else if (this.deadEnd(declared, meta) !== '') {
        this.warn(
          `${what} keeps running${this.deadEnd(declared, meta)}. ` +
            `Add a handler, or remove the schedule with queue.removeRepeatableByKey('${key}').`,
        );
      }
    }
  }

  /** Whether this application, as far as it can tell, has declared the schedule before and no longer does. */
  private isStale({ registration, plan }: Declared, { key, owner }: RepeatableJobMeta): boolean {
    if (!key.startsWith(DECLARED)) return false;
    if (owner !== undefined) return owner === registration.schedules?.owner;
    // A version without an owner has declared it.
    return plan !== undefined;
  }

  private removesStale({ registration }: Declared, { owner }: RepeatableJobMeta): boolean {
    if (registration.staleSchedules === 'remove') return true;
    return registration.schedules?.removeUndeclared === true && owner !== undefined;
  }

  /** Escapes the line, because keys and names may come from other processes. */
  private log(line: string): void {
    this.#logger.log(printable(line));
  }

  private warn(line: string): void {
    this.#logger.warn(printable(line));
  }

  private deadEnd({ plan, registration }: Declared, { jobName }: RepeatableJobMeta): string {
    if (!plan || handles(plan.routes, jobName)) return '';
    // Another process may have the handler.
    if (registration.workerOptionsWith(plan.options).unknownJobs === 'release') return '';
    return `, and no handler matches its jobs ("${jobName}"), so they become dead letters`;
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
  // A text from the environment, such as "false", would count as true.
  throw invalid(
    location,
    `"disabled" must be true or false, or a function that returns one, not a ${typeof answer}.`,
  );
}
