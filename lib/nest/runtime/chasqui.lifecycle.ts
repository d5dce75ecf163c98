import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { messageOf } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { ChasquiExplorer } from '../explorer/chasqui.explorer.js';
import { planWiring, type WorkerPlan, type Wiring } from '../explorer/wiring.js';
import { JobScopes } from '../job-context/job-scope.js';
import { BootWatch } from './boot.watch.js';
import { ConnectionRegistry } from './connection.registry.js';
import { checkRoles } from './check-roles.js';
import { whileWaiting } from './patience.js';
import { QueueRegistry } from './queue.registry.js';
import { Schedules } from './schedules.js';
import { Subscriptions } from './subscriptions.js';
import { WorkerPool } from './worker.pool.js';

/**
 * The order in which an application starts and stops, and why. Nothing else of ours has lifecycle hooks.
 *
 * 1. `onModuleInit`: check everything. First what needs no Redis (decorators, queues, options), then Redis itself
 *    (reachable, let in, new enough). Every provider exists by now, and no hook of the application has run: what is
 *    wrong stops the boot before anything has happened. Queues can be used from here on, so the application's own
 *    `onModuleInit` may add jobs.
 * 2. `onApplicationBootstrap`: listen. Subscriptions must not miss what the hooks of the application, or the workers, do.
 * 3. After all hooks of the application: declare schedules, and consume. So handlers find what the hooks made, and an
 *    application that does not start takes no jobs. Nest has no hook for this, see {@link BootWatch}; it also tells that a
 *    hook has thrown, and then all is closed, as Nest does not call the shutdown hooks.
 * 4. `beforeApplicationShutdown`: drain. Workers read no more, give back what they have not started, and wait for
 *    running handlers up to their deadline. Queues still take adds, from those handlers as well as from HTTP requests,
 *    which Nest ends after this hook. What handlers need should be closed in `onApplicationShutdown`, not before.
 * 5. `onApplicationShutdown`: close the connections. Nothing runs any more that could use them. Subscriptions go first,
 *    as their listeners may add jobs.
 */
@Injectable()
export class ChasquiLifecycle
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #logger = new Logger('Chasqui');
  #plans: readonly WorkerPlan[] = [];
  #consumes = false;
  #startsLast = false;
  #discovery: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly explorer: ChasquiExplorer,
    private readonly connections: ConnectionRegistry,
    private readonly queues: QueueRegistry,
    private readonly scopes: JobScopes,
    private readonly workers: WorkerPool,
    private readonly schedules: Schedules,
    private readonly subscriptions: Subscriptions,
    private readonly boot: BootWatch,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.orStop(async () => {
      checkRoles(this.connections.all(), this.queueNames());
      const wiring = this.plan();
      if (this.connections.all().some(({ trackCurrentJob }) => trackCurrentJob)) this.scopes.track();
      this.workers.prepare(wiring.workers);
      this.#plans = wiring.workers;
      this.subscriptions.prepare(wiring.subscriptions);
      this.boot.onFailure(this, () => this.stop());
      this.boot.onShutdownFailure(this, () => this.stop());
      this.#startsLast = this.boot.atTheEnd(() => this.orStop(() => this.consume()));
      const queues = this.queues.opened();
      const ready = Promise.all(queues.map((queue) => queue.waitUntilReady()));
      await whileWaiting(this.#logger, queues, ready);
      await Promise.all(this.workers.all().map((worker) => worker.check()));
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.orStop(async () => {
      await this.subscriptions.start();
      if (!this.#startsLast) await this.consume();
    });
  }

  private async consume(): Promise<void> {
    await this.schedules.register(this.#plans, this.queueNames());
    const starting = this.workers.all().filter((worker) => worker.startsByItself);
    await Promise.all(starting.map((worker) => worker.start()));
    this.#consumes = true;
  }

  /**
   * The same for the processors and listeners of modules that were loaded since. Nest calls no hook of those.
   *
   * @returns the queues that have more processors now
   */
  discover(): Promise<readonly string[]> {
    const found = this.#discovery.then(() => this.takeUp());
    this.#discovery = found.catch(() => undefined);
    return found;
  }

  private async takeUp(): Promise<readonly string[]> {
    // Before that, the boot finds them all the same; and an application that ends takes up nothing.
    if (!this.consumes()) return [];
    const wiring = this.plan();
    const more = wiring.workers.filter((plan) => this.workers.hasMore(plan));
    this.subscriptions.prepare(wiring.subscriptions);
    await this.subscriptions.start();
    await this.schedules.register(
      more,
      more.map(({ queue }) => queue),
    );
    // Ended meanwhile: no new worker may begin.
    if (!this.consumes()) return [];
    await this.workers.renew(wiring.workers);
    return more.map(({ queue }) => queue);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.disconnect();
  }

  /** Nest calls no shutdown hooks after a failed boot, and an open connection would keep the process alive. */
  private async orStop(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  private async stop(): Promise<void> {
    await this.drain();
    await this.disconnect();
  }

  /** A function, as the answer may be another after each await. */
  private consumes(): boolean {
    return this.#consumes;
  }

  private plan(): Wiring {
    return planWiring(this.explorer.explore(), this.queueNames());
  }

  private queueNames(): readonly string[] {
    return this.queues.all().map(({ name }) => name);
  }

  private async drain(): Promise<void> {
    this.#consumes = false;
    await this.all(this.workers.all().map((worker) => worker.end()));
    // It may be waiting for a worker that another one is to replace.
    await this.#discovery;
  }

  private async disconnect(): Promise<void> {
    await this.all([this.subscriptions.stop()]);
    await this.all(this.queues.close());
  }

  /** One that cannot be stopped in order must not keep the others from being stopped. */
  private async all(steps: readonly Promise<void>[]): Promise<void> {
    for (const result of await Promise.allSettled(steps)) {
      if (result.status === 'rejected')
        this.#logger.error(printable(`While stopping: ${messageOf(result.reason)}`));
    }
  }
}
