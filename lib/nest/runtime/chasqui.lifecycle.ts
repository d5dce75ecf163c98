import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { messageOf } from '../../engine/index.js';
import { ChasquiExplorer } from '../explorer/chasqui.explorer.js';
import { planWiring } from '../explorer/wiring.js';
import { JobScopes } from '../job-context/job-scope.js';
import { ConnectionRegistry } from './connection.registry.js';
import { checkRoles } from './check-roles.js';
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
 * 2. `onApplicationBootstrap`: consume. All `onModuleInit` hooks are through, so that handlers find what those made.
 *    Subscriptions go first: they must not miss what the workers then do. Schedules are declared once all is checked.
 * 3. `beforeApplicationShutdown`: drain. Workers read no more, give back what they have not started, and wait for
 *    running handlers up to their deadline. Queues still take adds, from those handlers as well as from HTTP requests,
 *    which Nest ends after this hook. What handlers need should be closed in `onApplicationShutdown`, not before.
 * 4. `onApplicationShutdown`: close the connections. Nothing runs any more that could use them. Subscriptions go first,
 *    as their listeners may add jobs.
 */
@Injectable()
export class ChasquiLifecycle
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #logger = new Logger('Chasqui');

  constructor(
    private readonly explorer: ChasquiExplorer,
    private readonly connections: ConnectionRegistry,
    private readonly queues: QueueRegistry,
    private readonly scopes: JobScopes,
    private readonly workers: WorkerPool,
    private readonly schedules: Schedules,
    private readonly subscriptions: Subscriptions,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.orStop(async () => {
      const names = this.queues.all().map(({ name }) => name);
      checkRoles(this.connections.all(), names);
      const wiring = planWiring(this.explorer.explore(), names);
      if (this.connections.all().some(({ trackCurrentJob }) => trackCurrentJob)) this.scopes.track();
      this.workers.prepare(wiring.workers);
      this.schedules.prepare(wiring.workers);
      this.subscriptions.prepare(wiring.subscriptions);
      await Promise.all(this.queues.opened().map((queue) => queue.waitUntilReady()));
      await Promise.all(this.workers.all().map((worker) => worker.check()));
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.orStop(async () => {
      await this.subscriptions.start();
      await this.schedules.register();
      const starting = this.workers.all().filter((worker) => worker.startsByItself);
      await Promise.all(starting.map((worker) => worker.start()));
    });
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
      await this.drain();
      await this.disconnect();
      throw error;
    }
  }

  private async drain(): Promise<void> {
    await this.all(this.workers.all().map((worker) => worker.end()));
  }

  private async disconnect(): Promise<void> {
    await this.all([this.subscriptions.stop()]);
    await this.all(this.queues.close());
  }

  /** One that cannot be stopped in order must not keep the others from being stopped. */
  private async all(steps: readonly Promise<void>[]): Promise<void> {
    for (const result of await Promise.allSettled(steps)) {
      if (result.status === 'rejected') this.#logger.error(`While stopping: ${messageOf(result.reason)}`);
    }
  }
}
