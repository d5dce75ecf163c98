import { Injectable, Logger } from '@nestjs/common';
import { ConnectionError, messageOf, type Queue, type QueueEvents, type Worker } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';

/**
 * Logs what becomes of connections. Queues, workers and subscriptions of one connection are all told of the same thing:
 * here it makes one line, where it begins and where it ends.
 */
@Injectable()
export class ConnectionLog {
  readonly #logger = new Logger('Chasqui');
  readonly #told = new WeakSet<object>();

  /** @param what it is, at the beginning of a line about an error of its own */
  watch(source: Queue | Worker | QueueEvents, what: string): void {
    // Their events differ, and have these in common.
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
