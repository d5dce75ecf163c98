import type { QueueKeys } from '../../../redis/keys.js';
import { announce } from '../../../redis/scripts/announce.js';
import { Timer } from '../../../redis/timer.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Delivery } from '../lease/delivery.js';
import type { JobObserver } from '../lease/in-flight.js';
import { isUndecided } from '../lease/states.js';
import type { EventsSettings } from '../../config/events-settings.js';
import type { Tracking } from './tracking.js';

/**
 * Announces `active` for jobs that run longer than an instant, and writes the start of tracked ones. Most end within the same
 * batch and are announced by the script that ends them, which costs no call of its own.
 */
export class Announcer implements JobObserver {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #events: EventsSettings;
  readonly #tracking: Tracking;
  readonly #afterMs: number;
  readonly #onError: (error: unknown) => void;
  /** Started in this tick; most of them end in it. */
  #started: Delivery[] = [];
  /** Outlived the tick in which they started. */
  #outlived: Delivery[] = [];
  #timer: Timer | undefined;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    events: EventsSettings,
    tracking: Tracking,
    afterMs: number,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#events = events;
    this.#tracking = tracking;
    this.#afterMs = afterMs;
    this.#onError = onError;
  }

  started(delivery: Delivery): void {
    if (this.#events.eventsCap === 0 && !delivery.isTracked) return;
    if (this.#started.push(delivery) === 1) process.nextTick(this.#sift);
  }

  stop(): void {
    this.#timer?.clear();
    this.#started = [];
    this.#outlived = [];
  }

  readonly #sift = (): void => {
    const started = this.#started;
    this.#started = [];
    for (const delivery of started) if (isUndecided(delivery.state)) this.#outlived.push(delivery);
    if (this.#outlived.length > 0) this.#timer ??= new Timer(this.#afterMs, this.#announce);
  };

  readonly #announce = (): void => {
    this.#timer = undefined;
    const running = this.#outlived.filter(({ state, announced }) => isUndecided(state) && !announced);
    this.#outlived = [];
    if (running.length === 0) return;
    for (const delivery of running) delivery.announced = true;
    const starts = this.#tracking.starts(running);
    announce(this.#link, this.#keys, { ...this.#events, jobs: running, starts }).catch(this.#onError);
  };
}
