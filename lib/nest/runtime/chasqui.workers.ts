import { Injectable } from '@nestjs/common';
import { checkText } from '../../engine/config/check-arguments.js';
import { checkOptions } from '../../engine/config/check-options.js';
import { boolean } from '../../engine/config/checks.js';
import { nearestKey } from '../../engine/config/nearest-key.js';
import { ConfigError, type Worker } from '../../engine/index.js';
import { ChasquiLifecycle } from './chasqui.lifecycle.js';
import type { WorkerHost } from './worker.host.js';
import { WorkerPool } from './worker.pool.js';

const STOP_OPTIONS = { force: boolean };

/**
 * Starts and stops single workers of this process, and gives access to them. All workers stop with the application.
 */
@Injectable()
export class ChasquiWorkers {
  constructor(
    private readonly pool: WorkerPool,
    private readonly lifecycle: ChasquiLifecycle,
  ) {}

  /** The queues that have a worker in this process. */
  get queues(): readonly string[] {
    return this.pool.all().map(({ queue }) => queue);
  }

  /** The engine's worker. Undefined if this process has no worker for the queue, or if it is stopped. */
  get(queue: string): Worker | undefined {
    checkText('ChasquiWorkers.get: the name of the queue', queue);
    return this.pool.get(queue)?.worker;
  }

  isRunning(queue: string): boolean {
    checkText('ChasquiWorkers.isRunning: the name of the queue', queue);
    return this.pool.get(queue)?.isRunning ?? false;
  }

  /**
   * Starts a worker that was stopped, or that has `autorun: false`. A worker that runs already keeps running.
   * @throws ConfigError (CMQ-004) if this process has no worker for the queue; ConnectionError (CMQ-001); ShutdownError
   * (CMQ-005) after the application has begun to stop
   */
  async start(queue: string): Promise<void> {
    await this.host('start', queue).start();
  }

  /**
   * Stops a worker. It waits for running handlers up to `shutdownDeadlineSecs`; with `force`, it aborts their signals at
   * once. Jobs that have not started return to the queue with no attempt used.
   * @throws ConfigError (CMQ-004) if this process has no worker for the queue
   */
  async stop(queue: string, options: { force?: boolean } = {}): Promise<void> {
    const { force } = checkOptions('ChasquiWorkers.stop', STOP_OPTIONS, options);
    await this.host('stop', queue).stop(force);
  }

  /**
   * Finds the processors, schedules and listeners of modules that Nest's `LazyModuleLoader` has loaded, and starts them. If
   * a queue already has a worker, a new worker replaces it after the running handlers have finished. A subscription that is
   * open keeps its options. If it rejects with a `WiringError`, nothing has changed.
   *
   * @returns the queues that have new processors
   * @throws WiringError (CMQ-300 to 310), as the boot does; ConnectionError (CMQ-001)
   */
  async discover(): Promise<readonly string[]> {
    return this.lifecycle.discover();
  }

  private host(method: string, queue: string): WorkerHost {
    checkText(`ChasquiWorkers.${method}: the name of the queue`, queue);
    const host = this.pool.get(queue);
    if (host) return host;
    const nearest = nearestKey(queue, this.queues);
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    throw new ConfigError(
      `This process has no worker for the queue "${queue}".${hint} ` +
        'Add a @Processor for it, and check that `workers` includes the queue.',
    );
  }
}
