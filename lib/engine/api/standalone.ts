import { checkQueueName } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import { promoterSchema, standaloneSchedulerSchema } from '../config/options/timers.js';
import type { Connection, PromoterConfig, StandaloneSchedulerConfig } from '../config/options.js';
import { checkConnection } from '../config/read-connection.js';
import { POLL_MS } from '../timers/due-loop.js';
import { createPromoter } from '../timers/promoter.js';
import { createScheduler } from '../timers/scheduler.js';
import { runDueLoop } from './run-due-loop.js';
import type { StandaloneLoop } from './run-due-loop.js';

/** A promoter without a worker. A worker has a promoter of its own, unless `delayedEnabled` is false. */
export class Promoter {
  readonly #connection: Connection;
  readonly #config: PromoterConfig;

  /** @throws ConfigError (CMQ-004) */
  constructor(connection: Connection, config: PromoterConfig = {}) {
    this.#config = checkOptions('Promoter', promoterSchema, config);
    checkQueueName(this.#config.queueName ?? 'default');
    checkConnection('Promoter', connection);
    this.#connection = connection;
  }

  /**
   * Promotes due jobs until `signal` is aborted. Promoters of the same queue take turns.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async run(signal?: AbortSignal, onError?: (error: Error) => void): Promise<void> {
    const { pollIntervalMs: idleMs = POLL_MS, promoteBatch: batch = 256 } = this.#config;
    const loop: StandaloneLoop = {
      wakeStream: 'promoterWake',
      create: (settings) => createPromoter({ ...settings, idleMs, batch }),
    };
    await runDueLoop(this.#connection, this.#config, loop, signal, onError);
  }
}

/** A scheduler without a worker. A worker has a scheduler of its own, unless `runScheduler` is false. */
export class Scheduler {
  readonly #connection: Connection;
  readonly #config: StandaloneSchedulerConfig;

  /** @throws ConfigError (CMQ-004) */
  constructor(connection: Connection, config: StandaloneSchedulerConfig = {}) {
    this.#config = checkOptions('Scheduler', standaloneSchedulerSchema, config);
    checkQueueName(this.#config.queueName ?? 'default');
    checkConnection('Scheduler', connection);
    this.#connection = connection;
  }

  /**
   * Fires schedules until `signal` is aborted. Schedulers of the same queue take turns.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async run(signal?: AbortSignal, onError?: (error: Error) => void): Promise<void> {
    const { tickIntervalMs = 1_000, batch = 256 } = this.#config;
    const loop: StandaloneLoop = {
      wakeStream: 'schedulerWake',
      create: (settings) => createScheduler({ ...settings, tickIntervalMs, batch }),
    };
    await runDueLoop(this.#connection, this.#config, loop, signal, onError);
  }
}
