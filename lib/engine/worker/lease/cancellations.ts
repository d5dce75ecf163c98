import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { clearWake } from '../../../redis/scripts/clear-wake.js';
import type { HeardWake } from '../../../redis/scripts/clear-wake.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Delivery } from './delivery.js';
import { hasEndedLease } from './in-flight.js';
import type { InFlight, JobObserver } from './in-flight.js';

export interface CancellationsSettings {
  group: string;
  consumerId: string;
}

/**
 * Hears which of a worker's jobs were cancelled, in any process: lua/cancel.lua writes them to a wake stream of the
 * worker's own, on which its one blocking read listens.
 */
export class Cancellations implements JobObserver {
  /** The wake stream. */
  readonly stream: string;
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #group: string;
  readonly #inFlight: InFlight;
  readonly #onError: (error: unknown) => void;
  #heard: HeardWake[] = [];

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    { group, consumerId }: CancellationsSettings,
    inFlight: InFlight,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#group = group;
    this.#inFlight = inFlight;
    this.#onError = onError;
    this.stream = keys.workerWake(consumerId);
    inFlight.observe(this);
  }

  /** An entry of the wake stream. */
  heard([id, fields]: StreamEntry): void {
    const at = fields.findIndex((field) => field.toString() === 'cancel');
    const entryId = at < 0 ? '' : (fields[at + 1]?.toString() ?? '');
    const delivery = entryId === '' ? undefined : this.#inFlight.find(entryId);
    const unknownEntryId = delivery || entryId === '' ? undefined : entryId;
    if (this.#heard.push({ wakeId: id, unknownEntryId }) === 1) process.nextTick(this.#clear);
    if (delivery) this.#inFlight.cancel(delivery);
  }

  /** A job that was cancelled has ended otherwise all the same: its mark in Redis is of no more use. */
  cancelledGone(delivery: Delivery): void {
    if (!hasEndedLease(delivery)) return;
    this.#link.call('DEL', [this.#keys.cancelled(delivery.entryId)]).catch(this.#onError);
  }

  /** Ends a read that listens here. */
  readonly nudge = (): Promise<void> => this.#clearWake([], true);

  readonly #clear = (): void => {
    const heard = this.#heard;
    this.#heard = [];
    this.#clearWake(heard, false).catch(this.#onError);
  };

  #clearWake(heard: readonly HeardWake[], endRead: boolean): Promise<void> {
    return clearWake(this.#link, this.#keys, { group: this.#group, wake: this.stream, heard, endRead });
  }
}
