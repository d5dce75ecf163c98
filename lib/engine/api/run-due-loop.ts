import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { queueKeys } from '../../redis/keys.js';
import type { QueueKeys } from '../../redis/keys.js';
import { systemClock } from '../base/clock.js';
import { warn } from '../base/emit.js';
import { noopSink, safeSink } from '../base/metrics.js';
import type { MetricsSink } from '../base/metrics.js';
import { inOwnContext } from '../base/own-context.js';
import { toError } from '../base/thrown.js';
import { checkRun } from '../config/check-arguments.js';
import { eventsSettingsOf } from '../config/events-settings.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { Connection, PromoterConfig, StandaloneSchedulerConfig } from '../config/options.js';
import { CONNECT_TIMEOUT_MS, CommandLink } from '../connection/command-link.js';
import { callbackObserver } from '../connection/observe.js';
import { dueOf } from '../timers/due-loop.js';
import type { DueLoop } from '../timers/due-loop.js';
import { Reader } from '../worker/fetch/reader.js';
import { toMs } from '../worker/settings.js';

const STOP_MS = 5_000;

/** The settings that promoter and scheduler share. */
export interface CommonSettings extends EventsSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId: string | undefined;
  lockTtlMs: number;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

export interface StandaloneLoop {
  wakeStream: 'promoterWake' | 'schedulerWake';
  create: (settings: CommonSettings) => DueLoop;
}

/** Runs a due loop without a worker, until `signal` is aborted. It reads the wake entries of the loop, and nothing else. */
export async function runDueLoop(
  connection: Connection,
  config: PromoterConfig | StandaloneSchedulerConfig,
  { wakeStream, create }: StandaloneLoop,
  signal: AbortSignal | undefined,
  onError: ((error: Error) => void) | undefined,
): Promise<void> {
  checkRun('run', signal, onError);
  if (signal?.aborted) return;
  const { queueName = 'default', group = 'default', metrics = noopSink, lockTtlSecs = 5, holderId } = config;
  const report = (error: unknown): void => {
    reportTo(onError, error);
  };
  const link = new CommandLink(connection, {}, callbackObserver(onError && report));
  const onFailure = (error: unknown): void => {
    // The outage of a connection is reported once, when it begins.
    if (!link.isFromOutage(error)) report(error);
  };
  const keys = queueKeys(queueName);
  const loop = create({
    link,
    keys,
    group,
    holderId,
    lockTtlMs: toMs(lockTtlSecs),
    ...eventsSettingsOf(config),
    metrics: safeSink(metrics, onFailure),
    onError: onFailure,
  });
  const reader = new Reader(link, keys, {
    group,
    consumerId: `w-${randomUUID()}`,
    blockMs: 5_000,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    readsWork: false,
    wakeStreams: [keys[wakeStream]],
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

function reportTo(onError: ((error: Error) => void) | undefined, error: unknown): void {
  if (!onError) {
    warn(error);
    return;
  }
  try {
    inOwnContext(onError, toError(error));
  } catch (thrown) {
    warn(thrown);
  }
}

/** Never resolves without a signal. */
async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return new Promise(() => undefined);
  if (!signal.aborted) await once(signal, 'abort');
}
