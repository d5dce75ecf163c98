import { Injectable, Logger } from '@nestjs/common';
import { ConnectionError, messageOf, type Queue, type QueueEvents, type Worker } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';

/**
 * Logs the outages of connections. All queues, workers and subscriptions of a connection report the same outage. It becomes
 * one line when it begins, and one line when it ends.
 */
@Injectable()
export class ConnectionLog {
  readonly #logger = new Logger('Chasqui');
  readonly #told = new WeakSet<object>();

  /** @param what the text before an error that concerns only this source */
  watch(source: Queue | Worker | QueueEvents, what: string): void {
    // All three kinds of sources have these events.
    const common = source as QueueEvents;
    common.on('error', (error) => {
      const isOutage = error instanceof ConnectionError && error.outage;
      if (!isOutage) this.#logger.error(printable(`${what}: ${messageOf(error)}`));
      else if (this.#isNew(error)) this.#logger.error(printable(error.message));
    });
    common.on('reconnected', (end) => {
      if (!this.#isNew(end)) return;
      this.#logger.log(`Redis at ${end.address} answers again, after ${(end.downMs / 1000).toFixed(1)} s.`);
    });
    common.on('warning', (warning) => {
      if (this.#isNew(warning)) this.#logger.warn(warning.message);
    });
  }

  #isNew(event: object): boolean {
    if (this.#told.has(event)) return false;
    this.#told.add(event);
    return true;
  }
}
