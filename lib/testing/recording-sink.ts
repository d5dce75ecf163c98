import { Timer } from '../engine/base/deadline.js';
import type { MetricsSink } from '../engine/index.js';
import { WAIT_MS, type WaitOptions } from './event-recorder.js';

/** The argument of each method of a sink. */
export type SinkEvents = { [Name in keyof MetricsSink]-?: Parameters<NonNullable<MetricsSink[Name]>>[0] };

/** One call of a sink. */
export type SinkRecord<Name extends keyof SinkEvents = keyof SinkEvents> = {
  [N in Name]: { readonly metric: N; readonly data: SinkEvents[N] };
}[Name];

/** A metrics sink that records every call. Pass it to a worker as `metrics`. */
export class RecordingSink implements Required<MetricsSink> {
  readonly all: SinkRecord[] = [];
  readonly #changed = new Set<() => void>();

  /** The data of all recorded calls of this method. */
  of<Name extends keyof SinkEvents>(metric: Name): SinkEvents[Name][] {
    return this.all.filter((record) => record.metric === metric).map(({ data }) => data as SinkEvents[Name]);
  }

  /**
   * Resolves with the first call of this method that the predicate accepts, recorded already or still to come.
   * @throws Error after the timeout; the message lists the methods that were called
   */
  async waitFor<Name extends keyof SinkEvents>(
    metric: Name,
    accepts: (data: SinkEvents[Name]) => boolean = () => true,
    { timeoutMs = WAIT_MS }: WaitOptions = {},
  ): Promise<SinkEvents[Name]> {
    const find = (): SinkEvents[Name] | undefined => this.of(metric).find(accepts);
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (!found) return;
        timer.clear();
        this.#changed.delete(look);
        resolve(found);
      };
      const timer = new Timer(timeoutMs, () => {
        this.#changed.delete(look);
        const kinds = [...new Set(this.all.map((record) => record.metric))].join(', ');
        reject(
          new Error(
            `No matching "${metric}" within ${timeoutMs} ms. Recorded so far: ${kinds || 'nothing'}.`,
          ),
        );
      });
      this.#changed.add(look);
      look();
    });
  }

  clear(): void {
    this.all.length = 0;
  }

  promoterTick(data: SinkEvents['promoterTick']): void {
    this.#record({ metric: 'promoterTick', data });
  }
  promoterLockOutcome(data: SinkEvents['promoterLockOutcome']): void {
    this.#record({ metric: 'promoterLockOutcome', data });
  }
  schedulerTick(data: SinkEvents['schedulerTick']): void {
    this.#record({ metric: 'schedulerTick', data });
  }
  schedulerLockOutcome(data: SinkEvents['schedulerLockOutcome']): void {
    this.#record({ metric: 'schedulerLockOutcome', data });
  }
  readerBatch(data: SinkEvents['readerBatch']): void {
    this.#record({ metric: 'readerBatch', data });
  }
  jobOutcome(data: SinkEvents['jobOutcome']): void {
    this.#record({ metric: 'jobOutcome', data });
  }
  retryScheduled(data: SinkEvents['retryScheduled']): void {
    this.#record({ metric: 'retryScheduled', data });
  }
  dlqRouted(data: SinkEvents['dlqRouted']): void {
    this.#record({ metric: 'dlqRouted', data });
  }
  dlqEvicted(data: SinkEvents['dlqEvicted']): void {
    this.#record({ metric: 'dlqEvicted', data });
  }
  leaseLost(data: SinkEvents['leaseLost']): void {
    this.#record({ metric: 'leaseLost', data });
  }

  #record(record: SinkRecord): void {
    this.all.push(record);
    for (const look of [...this.#changed]) look();
  }
}
