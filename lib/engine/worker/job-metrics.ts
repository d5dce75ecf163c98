import type { MetricsSink } from '../base/metrics.js';
import type { Delivery } from './lease/delivery.js';
import type { JobObserver } from './lease/in-flight.js';
import type { DeadLetterOutcome, RetryOutcome } from './lease/outcome.js';

/** Reports what happens to in-flight jobs to the metrics sink. */
export class JobMetrics implements JobObserver {
  readonly #sink: MetricsSink;

  constructor(sink: MetricsSink) {
    this.#sink = sink;
  }

  fetched(size: number, reclaimed: number): void {
    this.#sink.readerBatch?.({ size, reclaimed });
  }

  ended({ attempt, name, durationUs }: Delivery, isOk: boolean): void {
    this.#sink.jobOutcome?.({ kind: isOk ? 'ok' : 'err', attempt, handlerDurationUs: durationUs, name });
  }

  retried({ attempt, name, outcome }: Delivery): void {
    const { backoffMs } = outcome as RetryOutcome;
    this.#sink.retryScheduled?.({ attempt: attempt + 1, backoffMs, name });
  }

  deadLettered({ attempt, name, outcome }: Delivery): void {
    this.#sink.dlqRouted?.({ reason: (outcome as DeadLetterOutcome).reason, attempt, name });
  }

  dlqEvicted(count: number): void {
    this.#sink.dlqEvicted?.({ count });
  }

  lost(): void {
    this.#sink.leaseLost?.({ count: 1 });
  }
}
