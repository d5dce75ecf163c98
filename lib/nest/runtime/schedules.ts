import { Injectable, Logger } from '@nestjs/common';
import { ConfigError, messageOf } from '../../engine/index.js';
import { printable } from '../../engine/printable.js';
import { DECLARED, invalid, type SchedulePlan } from '../explorer/schedules.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import type { QueueRegistration } from './queue.registration.js';
import { QueueRegistry } from './queue.registry.js';

/** Registers what `@Repeat` declares, for the queues that this process works on. */
@Injectable()
export class Schedules {
  readonly #logger = new Logger('Chasqui');
  constructor(private readonly queues: QueueRegistry) {}

  /** Idempotent: every replica does it, and what is registered already stays as it is. */
  async register(plans: readonly WorkerPlan[]): Promise<void> {
    await Promise.all(
      plans.map(async ({ queue, schedules }) => {
        const registration = this.queues.get(queue);
        if (!registration || !this.queues.worksOn(queue)) return;
        await Promise.all(schedules.map((schedule) => this.declare(registration, schedule)));
        await this.reviewOthers(registration, schedules);
      }),
    );
  }

  private async declare(registration: QueueRegistration, schedule: SchedulePlan): Promise<void> {
    const { place, jobName, key, data, options } = schedule;
    const { endDate } = options.repeat;
    if (endDate !== undefined && new Date(endDate).getTime() <= Date.now()) {
      this.#logger.log(
        printable(`Schedule "${key}" of queue "${registration.name}" has ended: it is not registered.`),
      );
      return;
    }
    try {
      await this.queues.open(registration).add(jobName, data, options);
    } catch (error) {
      throw error instanceof ConfigError ? invalid(place, messageOf(error), error) : error;
    }
  }

  /** Schedules that some version of the code declared and this one does not. */
  private async reviewOthers(
    registration: QueueRegistration,
    schedules: readonly SchedulePlan[],
  ): Promise<void> {
    const queue = this.queues.open(registration);
    const declared = new Set(schedules.map(({ key }) => key));
    for (const { key } of await queue.getRepeatableJobs(Number.MAX_SAFE_INTEGER)) {
      if (!key.startsWith(DECLARED) || declared.has(key)) continue;
      const what = printable(`Schedule "${key}" of queue "${registration.name}" is not in the code any more`);
      if (registration.staleSchedules === 'remove') {
        await queue.removeRepeatableByKey(key);
        this.#logger.log(`${what}: it is removed.`);
      } else {
        this.#logger.warn(
          `${what}: it goes on. Remove it with removeRepeatableByKey, or set staleSchedules: 'remove'.`,
        );
      }
    }
  }
}
