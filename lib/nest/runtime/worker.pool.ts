import { Injectable, Logger } from '@nestjs/common';
import type { Telemetry, WorkerOptions, WorkerTelemetry } from '../../engine/index.js';
import { WORKER_EVENTS } from '../constants.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { handles } from '../explorer/routes.js';
import type { WorkerPlan } from '../explorer/wiring.js';
import { JobContextFactory, type JobHandler } from '../job-context/job-context.factory.js';
import { JobRouter } from '../job-context/job-router.js';
import { planThreads } from '../threads/thread-options.js';
import { ConnectionLog } from './connection.log.js';
import { ConnectionRegistry } from './connection.registry.js';
import { ListenerBinder } from './listener.binder.js';
import type { QueueRegistration } from './queue.registration.js';
import { logJobs, logPauses } from './log-jobs.js';
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
    private readonly registered: ConnectionRegistry,
  ) {}

  /** Builds all handlers, including those of queues without a worker here, so that every process reports a mistake. */
  prepare(plans: readonly WorkerPlan[]): void {
    for (const [queue, host] of this.build(plans)) this.#hosts.set(queue, host);
    this.#plans = plans;
  }

  /**
   * Adds the new processors of queues. A worker of the engine cannot change its handlers, so a new worker replaces it after
   * it has ended. If the old worker was stopped, the new one does not start.
   */
  async renew(plans: readonly WorkerPlan[]): Promise<void> {
    const built = this.build(plans.filter((plan) => this.hasMore(plan)));
    this.#plans = plans;
    await Promise.all(
      built.map(async ([queue, host]) => {
        const old = this.#hosts.get(queue);
        const starts = old ? old.isRunning : host.startsByItself;
        // Before the old one has ended, so that a shutdown meanwhile also ends the new one.
        this.#hosts.set(queue, host);
        await old?.end();
        if (starts) await host.start();
      }),
    );
  }

  /** Whether a queue has new processors. Processors are never removed. */
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
      const build = (handler: HandlerDeclaration, isBatched: boolean): JobHandler =>
        isBatched ? this.contexts.createBatch(handler, globals) : this.contexts.create(handler, globals);
      const router = new JobRouter(plan.queue, plan.routes, build);
      return registration && this.queues.worksOn(plan.queue)
        ? [[plan.queue, this.host(plan, registration, router)] as const]
        : [];
    });
  }

  private host(plan: WorkerPlan, registration: QueueRegistration, router: JobRouter): WorkerHost {
    const { useWorkerThreads, ...settings } = registration.workerOptionsWith(plan.options);
    const threads = planThreads(useWorkerThreads, registration, this.registered.all());
    const handler = threads?.processor ?? router.run;
    const options = {
      ...workerOptions(plan, router, settings),
      ...(threads && { useWorkerThreads: threads.options }),
    };
    return new WorkerHost(plan.queue, registration.queueName, handler, options, (worker) => {
      logJobs(this.#logger, 'Job', plan.queue, worker);
      logPauses(this.#logger, plan.queue, worker);
      this.connections.watch(worker, `Worker of queue "${plan.queue}"`);
      this.listeners.bind(worker, plan.listeners);
      const { eventEmitter } = registration;
      if (eventEmitter !== undefined) {
        this.listeners.forward(worker, WORKER_EVENTS, `chasqui.${plan.queue}.worker`, eventEmitter);
      }
    });
  }
}

type SettingsOfWorker = ReturnType<QueueRegistration['workerOptionsWith']>;

function workerOptions(
  { routes }: WorkerPlan,
  { limitsOf, batchesOf }: JobRouter,
  { unknownJobs = 'dead-letter', ...options }: Omit<SettingsOfWorker, 'useWorkerThreads'>,
): WorkerOptions {
  return {
    ...options,
    ...(options.telemetry && { telemetry: knowingNames(options.telemetry, [...routes.names.keys()]) }),
    ...(limitsOf && { limitsOf }),
    ...(batchesOf && { batchesOf }),
    ...(unknownJobs === 'release' && { accepts: (name: string) => handles(routes, name) }),
  };
}

/** The same telemetry. It hears which jobs the worker has handlers for, so that their counters begin with 0. */
function knowingNames(telemetry: Telemetry, jobNames: readonly string[]): Telemetry {
  if (!telemetry.worker) return telemetry;
  return { worker: (worker) => telemetry.worker?.({ ...worker, jobNames }) as WorkerTelemetry };
}
