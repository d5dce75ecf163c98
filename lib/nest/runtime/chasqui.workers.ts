import { Injectable } from '@nestjs/common';
import { nearestKey } from '../../engine/config/nearest-key.js';
import { ConfigError, type Worker } from '../../engine/index.js';
import { ChasquiLifecycle } from './chasqui.lifecycle.js';
import type { WorkerHost } from './worker.host.js';
import { WorkerPool } from './worker.pool.js';

/**
 * Starts and stops the workers of this process one by one, and gives access to them. They stop with the application
 * in any case.
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

  /** The engine's worker; undefined where the process has none for the queue, or it is stopped. */
  get(queue: string): Worker | undefined {
    return this.pool.get(queue)?.worker;
  }

  isRunning(queue: string): boolean {
    return this.pool.get(queue)?.isRunning ?? false;
  }

  /**
   * Starts a worker that was stopped, or that has `autorun: false`. Running already, it goes on.
   * @throws ConfigError (CMQ-004) where the process has no worker for the queue; ConnectionError (CMQ-001);
   * ShutdownError (CMQ-005) once the application ends
   */
  async start(queue: string): Promise<void> {
    await this.host(queue).start();
  }

  /**
   * Stops a worker: running handlers end, up to its `shutdownDeadlineSecs`, or are aborted at once with `force`; what
   * was not started goes back to the queue with no attempt used.
   * @throws ConfigError (CMQ-004) where the process has no worker for the queue
   */
  async stop(queue: string, options: { force?: boolean } = {}): Promise<void> {
    await this.host(queue).stop(options.force);
  }

  /**
   * Finds the processors, schedules and listeners of modules that were loaded since the application began, with Nest's
   * `LazyModuleLoader`, and starts what they need. A queue that has a worker already gets another in its place, once
   * running handlers have ended; a subscription that is open keeps its options. Nothing has changed where it rejects with a `WiringError`.
   *
   * @returns the queues that have more processors than before
   * @throws WiringError (CMQ-300 to 310), as the boot does; ConnectionError (CMQ-001)
   */
  async discover(): Promise<readonly string[]> {
    return this.lifecycle.discover();
  }

  private host(queue: string): WorkerHost {
    const host = this.pool.get(queue);
    if (host) return host;
    const nearest = nearestKey(queue, this.queues);
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    throw new ConfigError(
      `This process has no worker for the queue "${queue}".${hint} ` +
        'It needs a @Processor, and `workers` must not leave the queue out.',
    );
  }
}
