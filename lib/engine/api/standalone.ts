import { randomUUID } from 'node:crypto';
import { queueKeys } from '../../redis/keys.js';
import type { QueueKeys } from '../../redis/keys.js';
import { systemClock } from '../base/clock.js';
import { callbackObserver } from '../connection/observe.js';
import { checkConnection } from '../config/read-connection.js';
import { CONNECT_TIMEOUT_MS, CommandLink } from '../connection/command-link.js';
import { Reader } from '../worker/fetch/reader.js';
import { POLL_MS, dueOf } from '../timers/due-loop.js';
import type { DueLoop } from '../timers/due-loop.js';
import { warn } from '../base/emit.js';
import { toMs } from '../worker/settings.js';
import { eventsSettingsOf } from '../config/events-settings.js';
import { noopSink, safeSink } from '../base/metrics.js';
import type { Connection, PromoterConfig, StandaloneSchedulerConfig } from '../config/options.js';
import { inOwnContext } from '../base/own-context.js';
import { createPromoter } from '../timers/promoter.js';
import { createScheduler } from '../timers/scheduler.js';
import { promoterSchema, standaloneSchedulerSchema } from '../config/options/timers.js';
import { toError } from '../base/thrown.js';
import { checkQueueName, checkRun } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';

const STOP_MS = 5_000;

interface Parts {
  link: CommandLink;
  keys: QueueKeys;
  onError: (error: unknown) => void;
}

/** Runs a due loop without a worker: it reads the wake entries of the loop, and nothing else. */
async function runAlone(
  connection: Connection,
  queueName: string,
  group: string,
  wakeOf: (keys: QueueKeys) => string,
  create: (parts: Parts) => DueLoop,
  signal: AbortSignal | undefined,
  onError: ((error: Error) => void) | undefined,
): Promise<void> {
  checkRun('run', signal, onError);
  if (signal?.aborted) return;
  const keys = queueKeys(queueName);
  const report = (error: unknown): void => {
    if (!onError) {
      warn(error);
      return;
    }
    try {
      inOwnContext(onError, toError(error));
    } catch (thrown) {
      warn(thrown);
    }
  };
  const link = new CommandLink(connection, {}, callbackObserver(onError && report));
  const onFailure = (error: unknown): void => {
    // The outage of a connection is reported once, when it begins.
    if (!link.isFromOutage(error)) report(error);
  };
  const loop = create({ link, keys, onError: onFailure });
  const reader = new Reader(link, keys, {
    group,
    consumerId: `w-${randomUUID()}`,
    blockMs: 5_000,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    readsWork: false,
    wakeStreams: [wakeOf(keys)],
    clock: systemClock,
    capacity: () => Promise.resolve(1),
    deliver: () => undefined,
    woken: (_stream, [id, fields]) => {
      loop.wake({ entryId: id.toString(), due: dueOf(fields) });
    },
    onError: onFailure,
  });
  try {
    await link.ready();
    await reader.start();
    await loop.start();
    await aborted(signal);
  } finally {
    await Promise.all([reader.stop(STOP_MS), loop.stop(STOP_MS)]);
    link.release();
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}

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
    const { queueName = 'default', group = 'default', metrics = noopSink, lockTtlSecs = 5 } = this.#config;
    const { pollIntervalMs, promoteBatch = 256, holderId } = this.#config;
    const create = ({ link, keys, onError: report }: Parts): DueLoop =>
      createPromoter({
        link,
        keys,
        group,
        holderId,
        lockTtlMs: toMs(lockTtlSecs),
        idleMs: pollIntervalMs ?? POLL_MS,
        batch: promoteBatch,
        ...eventsSettingsOf(this.#config),
        metrics: safeSink(metrics, report),
        onError: report,
      });
    const wake = (keys: QueueKeys): string => keys.promoterWake;
    await runAlone(this.#connection, queueName, group, wake, create, signal, onError);
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
    const { queueName = 'default', group = 'default', metrics = noopSink, lockTtlSecs = 5 } = this.#config;
    const { tickIntervalMs = 1_000, batch = 256, holderId } = this.#config;
    const create = ({ link, keys, onError: report }: Parts): DueLoop =>
      createScheduler({
        link,
        keys,
        group,
        holderId,
        lockTtlMs: toMs(lockTtlSecs),
        tickIntervalMs,
        batch,
        eventsCap: eventsSettingsOf(this.#config).eventsCap,
        metrics: safeSink(metrics, report),
        onError: report,
      });
    const wake = (keys: QueueKeys): string => keys.schedulerWake;
    await runAlone(this.#connection, queueName, group, wake, create, signal, onError);
  }
}
