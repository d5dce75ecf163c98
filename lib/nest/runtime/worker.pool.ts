import { Injectable, Logger } from '@nestjs/common';
import { isUnrecoverable, messageOf, type Job, type Worker } from '../../engine/index.js';
import { WORKER_EVENTS } from '../constants.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import { JobContextFactory } from '../job-context/job-context.factory.js';
import { JobRouter } from '../job-context/job-router.js';
import { ListenerBinder } from './listener.binder.js';
import type { QueueRegistration } from './queue.registration.js';
import { QueueRegistry } from './queue.registry.js';
import { WorkerHost } from './worker.host.js';

/** The workers of this process, one for each queue that it works on. */
@Injectable()
export class WorkerPool {
  readonly #logger = new Logger('Chasqui');
  readonly #hosts = new Map<string, WorkerHost>();

  constructor(
    private readonly queues: QueueRegistry,
    private readonly contexts: JobContextFactory,
    private readonly listeners: ListenerBinder,
  ) {}

  /** Builds every handler, also those of queues that this process does not work on: what is wrong shows everywhere. */
  prepare(plans: readonly WorkerPlan[]): void {
    for (const plan of plans) {
      const registration = this.queues.get(plan.queue);
      const router = new JobRouter(plan.queue, plan.routes, (handler) => this.contexts.create(handler));
      if (registration?.works) this.#hosts.set(plan.queue, this.host(plan, registration, router));
    }
  }

  get(queue: string): WorkerHost | undefined {
    return this.#hosts.get(queue);
  }

  all(): readonly WorkerHost[] {
    return [...this.#hosts.values()];
  }

  private host(plan: WorkerPlan, registration: QueueRegistration, router: JobRouter): WorkerHost {
    const options = registration.workerOptionsWith(plan.options);
    return new WorkerHost(plan.queue, registration.queueName, router.run, options, (worker) => {
      this.log(plan.queue, worker);
      this.listeners.bind(worker, plan.listeners);
      const { eventEmitter } = registration;
      if (eventEmitter !== undefined) {
        this.listeners.forward(worker, WORKER_EVENTS, `chasqui.${plan.queue}.worker`, eventEmitter);
      }
    });
  }

  private log(queue: string, worker: Worker): void {
    worker.on('failed', (job: Job, error: unknown) => {
      const what = `Job ${job.id} "${job.name}" of queue "${queue}"`;
      const attempt = `attempt ${String(job.attemptsMade)}`;
      const message = messageOf(error);
      if (isUnrecoverable(error)) this.#logger.error(`${what} failed for good at ${attempt}: ${message}`);
      else this.#logger.warn(`${what} failed at ${attempt}: ${message}`);
      if (error instanceof Error && error.stack !== undefined) this.#logger.debug(error.stack);
    });
    worker.on('error', (error: unknown) => {
      this.#logger.error(`Worker of queue "${queue}": ${messageOf(error)}`);
    });
  }
}
