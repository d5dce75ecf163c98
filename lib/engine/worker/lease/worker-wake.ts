import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { clearWake } from '../../../redis/scripts/clear-wake.js';
import type { HeardWake } from '../../../redis/scripts/clear-wake.js';
import type { CommandLink } from '../../connection/command-link.js';

/** What an entry of the wake stream says: its first field. `room` and `take` only end a read. */
export type WakeKind = 'cancel' | 'policy' | 'room' | 'take';

export interface WorkerWakeSettings {
  group: string;
  consumerId: string;
}

/** Hears one kind of entries. Returns the entry of a cancelled job that the worker does not have in flight. */
export type HearWake = (value: string) => string | undefined;

/** The wake stream of one worker's own, on which its one blocking read listens: other processes write to it. */
export class WorkerWake {
  /** Its key. */
  readonly stream: string;
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #group: string;
  readonly #onError: (error: unknown) => void;
  readonly #hearing = new Map<string, HearWake>();
  #heard: HeardWake[] = [];

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    { group, consumerId }: WorkerWakeSettings,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#group = group;
    this.#onError = onError;
    this.stream = keys.workerWake(consumerId);
  }

  on(kind: WakeKind, hear: HearWake): void {
    this.#hearing.set(kind, hear);
  }

  /** An entry of the stream. */
  heard([id, [kind, value]]: StreamEntry): void {
    const hear = this.#hearing.get(String(kind));
    const unknownEntryId = hear?.(String(value ?? ''));
    if (this.#heard.push({ wakeId: id, unknownEntryId }) === 1) process.nextTick(this.#clear);
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
