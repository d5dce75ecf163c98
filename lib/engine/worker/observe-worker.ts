import type { QueueKeys } from '../../redis/keys.js';
import type { MetricsSink } from '../base/metrics.js';
import { guarded } from '../base/telemetry.js';
import type { Guarded, ObservedWorker, RunEnd, RunScope, WorkerTelemetry } from '../base/telemetry.js';
import { EXTRAS } from '../codec/extras.js';
import type { Job } from '../job/job.js';
import type { Delivery } from './lease/delivery.js';
import type { JobObserver } from './lease/in-flight.js';
import {
  ABANDONED,
  CANCELLED,
  COMPLETED,
  DEAD_LETTERED,
  DROPPED,
  HANDED_OVER,
  LOST,
  RELEASED,
  RETRIED,
  STATE_NAMES,
} from './lease/states.js';
import type { Handler } from './run/runner.js';
import type { WorkerSettings } from './settings.js';

/** Gives a worker its part of the telemetry, in its settings. */
export function observeWorker(
  settings: WorkerSettings,
  keys: QueueKeys,
  source: Pick<ObservedWorker, 'address' | 'gauges' | 'load'>,
  onError: (error: unknown) => void,
): void {
  if (!settings.telemetry) return;
  const { group, consumerId, metrics } = settings;
  const worker = { ...source, queue: keys.queue, group, consumer: consumerId };
  const made = guarded(settings.telemetry, onError).worker?.(worker);
  if (!made) return;
  const observed = guarded(made, onError);
  settings.observed = observed;
  settings.metrics = withTicks(metrics, observed);
}

function withTicks(sink: MetricsSink, { promoted, fired }: Guarded<WorkerTelemetry>): MetricsSink {
  return {
    ...sink,
    promoterTick: (tick) => {
      sink.promoterTick?.(tick);
      promoted?.(tick);
    },
    schedulerTick: (tick) => {
      sink.schedulerTick?.(tick);
      fired?.(tick);
    },
  };
}

/** The same handler, in the scope that the telemetry gives to a run. Whatever the telemetry does, the handler runs once. */
export function scoped(handler: Handler, { observed }: Pick<WorkerSettings, 'observed'>): Handler {
  const { scope, batchScope } = observed ?? {};
  if (!scope && !batchScope) return handler;
  const scopeOf = (input: Job | Job[]): RunScope | undefined =>
    Array.isArray(input)
      ? batchScope?.(
          input,
          input.map((job) => job[EXTRAS]?.trace),
        )
      : scope?.(input, input[EXTRAS]?.trace);
  /** What the scope has not called the handler with. One for all runs: they begin one after the other. */
  let waiting: Job | Job[] | undefined;
  const call = (input: Job | Job[]): unknown => {
    // A scope that calls late, or once more.
    if (waiting !== input) return undefined;
    waiting = undefined;
    return handler(input);
  };
  return (input) => {
    const around = scopeOf(input);
    if (!around) return handler(input);
    waiting = input;
    try {
      const returned = around.run(call, input);
      if (waiting !== input) return returned;
    } catch (error) {
      if (waiting !== input) throw error;
    }
    waiting = undefined;
    return handler(input);
  };
}

/** How a job has left, by its state. */
export const ENDS: readonly (RunEnd | undefined)[] = STATE_NAMES.map((_, state) => {
  switch (state) {
    case COMPLETED:
      return 'completed';
    case RETRIED:
      return 'retried';
    case DEAD_LETTERED:
      return 'dead-lettered';
    case CANCELLED:
      return 'cancelled';
    case DROPPED:
      return 'dropped';
    case RELEASED:
    case HANDED_OVER:
      return 'released';
    case LOST:
      return 'lost';
    case ABANDONED:
      return 'abandoned';
    default:
      return undefined;
  }
});

/** What the telemetry of a worker hears of in-flight jobs. */
export function toJobObserver(telemetry: Guarded<WorkerTelemetry>): JobObserver {
  const { started, ended, gone, dlqEvicted } = telemetry;
  return {
    ...(started && { started }),
    ...(ended && { ended }),
    ...(dlqEvicted && { dlqEvicted }),
    ...(gone && {
      gone: (delivery: Delivery) => {
        const end = ENDS[delivery.state];
        if (end) gone(delivery, end);
      },
    }),
  };
}
