import type { QueueKeys } from '../../redis/keys.js';
import { countEnded } from '../../redis/scripts/count-ended.js';
import { Timer } from '../../redis/timer.js';
import { ConnectionError, messageOf } from '../base/errors.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobObserver } from './lease/in-flight.js';

/** How long counts wait for others, in ms. */
const COLLECT_MS = 1_000;

interface Counts {
  completed: number;
  failed: number;
}

/**
 * Counts the jobs that end here, by the minute, for `Queue.getMetrics`. One call a second carries all of them, so the end of a
 * job costs nothing in Redis. A worker that is killed takes the counts of its last second with it.
 */
export class MinuteCounts implements JobObserver {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #most: number;
  readonly #onError: (error: unknown) => void;
  #counts: Counts = { completed: 0, failed: 0 };
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #isStopped = false;
  #lastError = '';

  /** @param most of how many minutes the counts are kept */
  constructor(link: CommandLink, keys: QueueKeys, most: number, onError: (error: unknown) => void) {
    this.#link = link;
    this.#keys = keys;
    this.#most = most;
    this.#onError = onError;
  }

  completed(): void {
    this.#counts.completed += 1;
    this.#plan();
  }

  deadLettered(): void {
    this.#counts.failed += 1;
    this.#plan();
  }

  /** Sends what is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.clear();
    await this.#sending;
    await this.#send();
  }

  #plan(): void {
    if (this.#timer || this.#sending || this.#isStopped) return;
    this.#timer = new Timer(COLLECT_MS, () => {
      this.#timer = undefined;
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined;
        if (this.#counts.completed + this.#counts.failed > 0) this.#plan();
      });
    }).unref();
  }

  async #send(): Promise<void> {
    const counts = this.#counts;
    if (counts.completed + counts.failed === 0) return;
    this.#counts = { completed: 0, failed: 0 };
    try {
      await countEnded(this.#link, this.#keys, { most: this.#most, ...counts, call: this.#link.nextCall() });
      this.#lastError = '';
    } catch (error) {
      // Where Redis may have counted them, they would count twice.
      if (!(error instanceof ConnectionError && error.unknownOutcome)) {
        this.#counts.completed += counts.completed;
        this.#counts.failed += counts.failed;
      }
      this.#failed(error);
    }
  }

  /** An outage, and a full memory, are reported elsewhere. Other faults are reported once. */
  #failed(error: unknown): void {
    const message = messageOf(error);
    const isKnown = this.#link.isFromOutage(error) || message.includes('OOM');
    if (!isKnown && message !== this.#lastError && !this.#isStopped) this.#onError(error);
    this.#lastError = message;
  }
}
