import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { clearWake } from '../../../redis/scripts/clear-wake.js';
import type { HeardWake } from '../../../redis/scripts/clear-wake.js';
import type { CommandLink } from '../../connection/command-link.js';
import { JobCancelledError } from '../../base/errors.js';
import type { Delivery } from './delivery.js';

export interface CancellationsSettings {
  group: string;
  consumerId: string;
  find: (entryId: string) => Delivery | undefined;
  /** One that is held was cancelled. */
  cancelled: (delivery: Delivery) => void;
  onError: (error: unknown) => void;
}

/**
 * Hears which of a worker's jobs were cancelled, in whatever process: lua/cancel.lua writes them to a wake stream of the
 * worker's own, on which its one blocking read listens.
 */
export class Cancellations {
  /** The wake stream. */
  readonly stream: string;
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: CancellationsSettings;
  #heard: HeardWake[] = [];

  constructor(link: CommandLink, keys: QueueKeys, settings: CancellationsSettings) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.stream = keys.workerWake(settings.consumerId);
  }

  /** An entry of the wake stream. */
  heard([id, fields]: StreamEntry): void {
    const at = fields.findIndex((field) => field.toString() === 'cancel');
    const entryId = at < 0 ? '' : (fields[at + 1]?.toString() ?? '');
    const delivery = entryId === '' ? undefined : this.#settings.find(entryId);
    const unknownEntryId = delivery || entryId === '' ? undefined : entryId;
    if (this.#heard.push({ wakeId: id, unknownEntryId }) === 1) process.nextTick(this.#clear);
    if (!delivery) return;
    this.mark(delivery);
    this.#settings.cancelled(delivery);
  }

  /** From here on the delivery does not start, and its signal is aborted. */
  mark(delivery: Delivery): void {
    if (delivery.cancelled) return;
    delivery.cancelled = new JobCancelledError(
      `Job ${delivery.jobId || delivery.entryId} of queue "${this.#keys.queue}" was cancelled.`,
    );
    delivery.abort(delivery.cancelled);
  }

  /** A job that was cancelled has ended all the same. */
  forget({ entryId }: Delivery): void {
    this.#link.call('DEL', [this.#keys.cancelled(entryId)]).catch(this.#settings.onError);
  }

  /** Ends a read that listens here. */
  readonly nudge = (): Promise<void> => this.#clearWake([], true);

  readonly #clear = (): void => {
    const heard = this.#heard;
    this.#heard = [];
    this.#clearWake(heard, false).catch(this.#settings.onError);
  };

  #clearWake(heard: readonly HeardWake[], endRead: boolean): Promise<void> {
    const { group } = this.#settings;
    return clearWake(this.#link, this.#keys, { group, wake: this.stream, heard, endRead });
  }
}
