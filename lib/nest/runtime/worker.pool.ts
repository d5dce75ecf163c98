import { Injectable, Logger } from '@nestjs/common';
import { ConfigError, type Job, type Worker, type WorkerOptions } from '../../engine/index.js';
import { WORKER_EVENTS } from '../constants.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { takes } from '../explorer/routes.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import { JobContextFactory, type JobHandler } from '../job-context/job-context.factory.js';
import { JobRouter } from '../job-context/job-router.js';
import { ConnectionLog } from './connection.log.js';
import { ListenerBinder } from './listener.binder.js';
import type { QueueRegistration } from './queue.registration.js';
import { logFailure } from './log-failure.js';
import { QueueRegistry } from './queue.registry.js';
import { WorkerHost } from './worker.host.js';

/** The workers of this process, one for each queue that it works on. */
@Injectable()
export class WorkerPool {
  readonly #logger = new Logger('Chasqui');
  readonly #hosts = new Map<string, WorkerHost>();
  #plans: readonly WorkerPlan[] = [];

  constructor(
    private readonly queues: QueueRegistry,
    private readonly contexts: JobContextFactory,
    private readonly listeners: ListenerBinder,
    private readonly connections: ConnectionLog,
  ) {}

  /** Builds every handler, also those of queues that this process does not work on: what is wrong shows everywhere. */
  prepare(plans: readonly WorkerPlan[]): void {
    for (const [queue, host] of this.build(plans)) this.#hosts.set(queue, host);
    this.#plans = plans;
  }

  /**
   * Serves queues whose processors have become more. A worker of the engine has its handlers for good: another takes its
   * place as soon as it has ended, unless it was stopped.
   */
  async renew(plans: readonly WorkerPlan[]): Promise<void> {
    const built = this.build(plans.filter((plan) => this.hasMore(plan)));
    this.#plans = plans;
    await Promise.all(
      built.map(async ([queue, host]) => {
        const old = this.#hosts.get(queue);
        const starts = old ? old.isRunning : host.startsByItself;
        // Before the old one has ended: an application that ends meanwhile ends those that are here.
        this.#hosts.set(queue, host);
        await old?.end();
        if (starts) await host.start();
      }),
    );
  }

  /** The processors of a queue become more only. */
  hasMore({ queue, processors }: WorkerPlan): boolean {
    const known = this.#plans.find((plan) => plan.queue === queue);
    return processors.length !== (known?.processors.length ?? 0);
  }

  get(queue: string): WorkerHost | undefined {
    return this.#hosts.get(queue);
  }

  all(): readonly WorkerHost[] {
    return [...this.#hosts.values()];
  }

  private build(plans: readonly WorkerPlan[]): (readonly [queue: string, host: WorkerHost])[] {
    return plans.flatMap((plan) => {
      const registration = this.queues.get(plan.queue);
      const globals = registration?.globalEnhancers ?? [];
      const build = (handler: HandlerDeclaration): JobHandler => this.contexts.create(handler, globals);
      const router = new JobRouter(plan.queue, plan.routes, build);
      return registration && this.queues.worksOn(plan.queue)
        ? [[plan.queue, this.host(plan, registration, router)] as const]
        : [];
    });
  }

  private host(plan: WorkerPlan, registration: QueueRegistration, router: JobRouter): WorkerHost {
    const options = workerOptions(plan, registration.workerOptionsWith(plan.options));
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
      logFailure(this.#logger, 'Job', queue, job, error);
    });
    worker.on('dlqEvicted', ({ count, cap }) => {
      this.#logger.error(
        `${String(count)} old dead letter(s) of queue "${queue}" are lost: more than ${String(cap)} (dlqMaxStreamLen) were kept. Replay or drop what is there, or raise dlqMaxStreamLen.`,
      );
    });
    this.connections.watch(worker, `Worker of queue "${queue}"`);
  }
}

/** @throws ConfigError (CMQ-004) */
function workerOptions(
  { queue, routes }: WorkerPlan,
  { unknownJobs = 'dead-letter', ...options }: ReturnType<QueueRegistration['workerOptionsWith']>,
): WorkerOptions {
  switch (unknownJobs as unknown) {
    case 'dead-letter':
      return options;
    case 'release':
      return { ...options, accepts: (name) => takes(routes, name) };
    default:
      throw new ConfigError(
        `The worker of queue "${queue}": option "unknownJobs" must be 'dead-letter' or 'release'.`,
      );
  }
}
