import {
  Inject,
  Injectable,
  Logger,
  Optional,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { messageOf } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { ChasquiExplorer } from '../explorer/chasqui.explorer.js';
import { HandlerGraph } from '../explorer/handler-graph.js';
import { planWiring, type WorkerPlan, type Wiring } from '../explorer/wiring.js';
import { JobScopes } from '../job-context/job-scope.js';
import { THREAD_ROLE, type ThreadRole } from '../threads/thread-role.js';
import { BootWatch } from './boot.watch.js';
import { ConnectionRegistry } from './connection.registry.js';
import { checkRoles } from './check-roles.js';
import { whileWaiting } from './patience.js';
import { QueueRegistry } from './queue.registry.js';
import { Schedules } from './schedules.js';
import { Subscriptions } from './subscriptions.js';
import { WorkerPool } from './worker.pool.js';

/**
 * The order in which an application starts and stops, with the reasons. No other class of this package has lifecycle hooks.
 *
 * 1. `onModuleInit`: check everything. First the parts that need no Redis (decorators, queues, options), then Redis itself
 *    (reachable, login, version). All providers exist, and no hook of the application has run, so a mistake stops the boot
 *    before anything has happened. Queues are usable from here on, so the `onModuleInit` of the application can add jobs.
 * 2. `onApplicationBootstrap`: subscribe. Subscriptions must not miss what the hooks of the application or the workers do.
 * 3. After all hooks of the application: declare schedules, and start the workers. Handlers can then use everything that
 *    the hooks set up, and an application that does not start fetches no jobs. Nest has no hook for this, see
 *    {@link BootWatch}. If a hook throws, Nest calls no shutdown hooks, so BootWatch closes everything.
 * 4. `beforeApplicationShutdown`: drain. Workers stop reading, release the jobs that they have not started, and wait for
 *    running handlers up to their deadline. Queues still accept adds from these handlers and from HTTP requests, because
 *    Nest ends requests after this hook. So an application closes the resources of its handlers in `onApplicationShutdown`.
 * 5. `onApplicationShutdown`: close the connections. Nothing uses them any more. Subscriptions close first, because their
 *    listeners may add jobs.
 *
 * An application in a thread of a worker takes none of the steps before the last: it only provides handlers, and a queue of
 * it connects when a handler uses it.
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
    private readonly graph: HandlerGraph,
    private readonly connections: ConnectionRegistry,
    private readonly queues: QueueRegistry,
    private readonly scopes: JobScopes,
    private readonly workers: WorkerPool,
    private readonly schedules: Schedules,
    private readonly subscriptions: Subscriptions,
    private readonly boot: BootWatch,
    @Optional() @Inject(THREAD_ROLE) private readonly thread?: ThreadRole,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.thread) return;
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
    if (this.thread) return;
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
   * Takes the same steps for the processors and listeners of modules that were loaded after the boot. Nest calls no hook of
   * these modules.
   *
   * @returns the queues that have new processors
   */
  discover(): Promise<readonly string[]> {
    const found = this.#discovery.then(() => this.takeUp());
    this.#discovery = found.catch(() => undefined);
    return found;
  }

  private async takeUp(): Promise<readonly string[]> {
    // Before the boot ends, it finds these modules itself. An application that stops starts nothing new.
    if (!this.consumes()) return [];
    const wiring = this.plan();
    const more = wiring.workers.filter((plan) => this.workers.hasMore(plan));
    this.subscriptions.prepare(wiring.subscriptions);
    await this.subscriptions.start();
    await this.schedules.register(
      more,
      more.map(({ queue }) => queue),
    );
    // If the application has stopped meanwhile, no new worker may start.
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

  /** After a failed boot, Nest calls no shutdown hooks, and an open connection would keep the process alive. */
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

  /** A function, because TypeScript would not expect the field to change during an await. */
  private consumes(): boolean {
    return this.#consumes;
  }

  private plan(): Wiring {
    const declarations = this.explorer.explore();
    const wiring = planWiring(declarations, this.queueNames());
    this.graph.add(declarations.processors);
    return wiring;
  }

  private queueNames(): readonly string[] {
    return this.queues.all().map(({ name }) => name);
  }

  private async drain(): Promise<void> {
    this.#consumes = false;
    await this.all(this.workers.all().map((worker) => worker.end()));
    // It may be waiting for a worker that it replaces.
    await this.#discovery;
  }

  private async disconnect(): Promise<void> {
    await this.all([this.subscriptions.stop()]);
    await this.all(this.queues.close());
  }

  /** If one step fails, the other steps still run. */
  private async all(steps: readonly Promise<void>[]): Promise<void> {
    for (const result of await Promise.allSettled(steps)) {
      if (result.status === 'rejected')
        this.#logger.error(printable(`Error during shutdown: ${messageOf(result.reason)}`));
    }
  }
}
