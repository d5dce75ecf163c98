import type { QueueKeys } from '../../../redis/keys.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Delivery } from './delivery.js';
import { hasEndedLease } from './in-flight.js';
import type { InFlight, JobObserver } from './in-flight.js';
import type { WorkerWake } from './worker-wake.js';

/**
 * Hears which of a worker's jobs were cancelled, in any process: lua/cancel.lua writes them to the worker's own wake
 * stream.
 */
export class Cancellations implements JobObserver {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #inFlight: InFlight;
  readonly #onError: (error: unknown) => void;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    wake: WorkerWake,
    inFlight: InFlight,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#inFlight = inFlight;
    this.#onError = onError;
    wake.on('cancel', this.#heard);
    inFlight.observe(this);
  }

  /** A job that was cancelled has ended otherwise all the same: its mark in Redis is of no more use. */
  cancelledGone(delivery: Delivery): void {
    if (!hasEndedLease(delivery)) return;
    this.#link.call('DEL', [this.#keys.cancelled(delivery.entryId)]).catch(this.#onError);
  }

  readonly #heard = (entryId: string): string | undefined => {
    const delivery = entryId === '' ? undefined : this.#inFlight.find(entryId);
    if (delivery) this.#inFlight.cancel(delivery);
    return delivery || entryId === '' ? undefined : entryId;
  };
}
