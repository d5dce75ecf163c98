import { EventEmitter } from 'node:events';
import type { QueueKeys } from '../../../redis/keys.js';
import { messageOf } from '../../base/thrown.js';
import { checkQueueName, checkDelay } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import type { QueueOptions } from '../../config/options.js';
import { queueSchema } from '../../config/options/queue.js';
import type { ConnectionInfo } from '../../connection/command-link.js';
import { emittingObserver } from '../../connection/observe.js';
import type { ConnectionEventsMap } from '../../connection/observe.js';
import { MAX_DELAY_SECS } from '../../enqueue/new-job.js';
import { jobActions } from '../../admin/job-actions.js';
import type { JobActions } from '../../job/job-actions.js';
import { ProducerCore } from '../producer-core.js';

/** Listener arguments by event name. */
export interface QueueListenersMap extends ConnectionEventsMap {
  /** After `pause()` of this object. `QueueEvents` hears of the calls in all processes. */
  paused: [];
  /** After `resume()` of this object. */
  resumed: [];
  /** The connection is down. Emitted once for each outage; without a listener, it becomes a process warning. */
  error: [error: Error];
}

/**
 * What all parts of a queue share: its name, options and connection. The parts are one class each, in this order:
 * QueueBase → QueueSchedules → QueueCounts → QueueDeadLetters → QueueLists → QueueGetters → QueueSteering → QueueLimits → QueueGroups →
 * QueueCleaning → Queue.
 */
export abstract class QueueBase extends EventEmitter<QueueListenersMap> implements AsyncDisposable {
  readonly name: string;
  /** All keys of the queue in Redis. */
  readonly keys: QueueKeys;
  readonly #opts: QueueOptions;
  readonly #core: ProducerCore;
  readonly #actions: JobActions;

  /** @throws ConfigError (CMQ-004) for a wrong name or option; names the nearest valid key. */
  constructor(name: string, opts: QueueOptions) {
    super();
    checkQueueName(name);
    this.#opts = opts = checkOptions(`Queue "${name}"`, queueSchema, opts, ['connection']);
    this.name = name;
    if (opts.defaultJobOptions?.delay !== undefined) {
      checkDelay(opts.defaultJobOptions.delay, (opts.maxDelaySecs ?? MAX_DELAY_SECS) * 1000);
    }
    this.#core = new ProducerCore(name, opts, emittingObserver(this));
    this.keys = this.#core.keys;
    const { eventsCap, limits } = this.#core;
    this.#actions = jobActions({ queue: name, eventsCap, limits, use: (call) => this.#core.use(call) });
  }

  /** @internal A getter: printing the queue does not show it. */
  protected get core(): ProducerCore {
    return this.#core;
  }

  /** @internal For the methods of its jobs. */
  get actions(): JobActions {
    return this.#actions;
  }

  /** The options as given. Printing the queue does not show them, because they may hold a password. */
  get opts(): QueueOptions {
    return this.#opts;
  }

  /**
   * Resolves when Redis answers and is new enough.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async waitUntilReady(): Promise<void> {
    await this.#core.ready();
  }

  /** The address and the state of the shared connection. */
  get connectionInfo(): ConnectionInfo {
    return this.#core.link.info;
  }

  /**
   * Makes one round trip on the shared connection and resolves with its time in ms. Callers share a PING that is in flight,
   * so that calls do not pile up while Redis hangs.
   * @throws ConnectionError (CMQ-001)
   */
  async ping(): Promise<number> {
    return this.#core.use((link) => link.ping());
  }

  /** @internal What INFO says, for the dashboard; null if the user may not call it. */
  async readServerInfo(): Promise<string | null> {
    try {
      return (await this.#core.use((link) => link.call('INFO', []))) as string;
    } catch (error) {
      if (messageOf(error).includes('NOPERM')) return null;
      throw error;
    }
  }

  /**
   * Waits for calls in flight, then releases the connection. Idempotent.
   * @param force do not wait for them; also if a `close()` without it is still waiting. Calls in flight reject with a
   * ShutdownError (CMQ-005) then. Redis may have carried them out.
   */
  close(force = false): Promise<void> {
    return this.#core.close(force);
  }

  get isClosed(): boolean {
    return this.#core.isClosed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
