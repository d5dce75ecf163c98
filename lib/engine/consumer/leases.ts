import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { Clock } from '../clock.js';
import type { CommandLink } from '../connections.js';
import { Service } from '../service.js';

export interface LeasesSettings {
  group: string;
  consumerId: string;
  leaseMs: number;
  /** How long a read of this worker's may block. */
  blockMs: number;
  clock: Clock;
  /** Entry ids held by this worker. */
  held: () => readonly string[];
  /** How many more jobs this worker can take. */
  room: () => number;
  /** Held, but not ours any more. */
  lost: (entryIds: readonly string[]) => void;
  /**
   * @param crashes   how many workers have died with the job
   * @param cancelled it must not run again
   */
  recovered: (entry: StreamEntry, crashes: number, cancelled: boolean) => void;
  vanished: (entryIds: readonly string[]) => void;
  onError: (error: unknown) => void;
}

/** How many entries a scan takes over at once, at most. */
const RECLAIM_BATCH = 100;
/** How many entries that never arrived are taken back at once, at most. */
const STRANDED_BATCH = 100;
/** Consumers without pending entries are forgotten after so many leases of silence. */
const FORGET_AFTER_LEASES = 20;

type Found = [id: Buffer, starts: number, fields: Buffer[], cancelled: number];

/**
 * Three times a lease: renews what is held (the heartbeat), takes back what was delivered here and never arrived, and
 * takes over what workers that died have left. The claim cursor is kept from scan to scan and followed round.
 */
export class Leases extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: LeasesSettings;
  readonly #beatMs: number;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #cursor = '0-0';
  /** Until this monotonic time, a look at what is pending here may find what was delivered and never arrived. */
  #lookUntil = -Infinity;
  #lastContact = 0;
  #quietUntil = 0;
  #beats = 0;

  constructor(link: CommandLink, keys: QueueKeys, settings: LeasesSettings) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#beatMs = Math.max(5, settings.leaseMs / 3);
  }

  /**
   * A reply may have been lost: look for what it carried. Not at the next beat only: Redis may take the connection for
   * alive, and deliver to it until the block time is over; and what is young is left alone at first.
   */
  interrupted(): void {
    this.#lookFor(this.#settings.blockMs + 2 * this.#beatMs);
  }

  protected onStart(): Promise<void> {
    this.#lastContact = this.#settings.clock.monotonic();
    this.#plan();
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#beating;
  }

  #plan(): void {
    if (this.isStopping) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat().finally(() => {
        this.#beating = undefined;
        this.#plan();
      });
    }, this.#beatMs);
  }

  async #beat(): Promise<void> {
    try {
      const held = this.#settings.held();
      if (held.length > 0 || this.#settings.clock.monotonic() < this.#lookUntil) await this.#renew(held);
      await this.#reclaim();
      this.#beats += 1;
      if (this.#beats % 30 === 0) await this.#forget();
    } catch (error) {
      this.#lookFor(2 * this.#beatMs);
      if (!this.isStopping) this.#settings.onError(error);
    }
  }

  async #renew(held: readonly string[]): Promise<void> {
    const { group, consumerId } = this.#settings;
    // Younger than half a beat may still be on its way here.
    const strandedMs = Math.ceil(this.#beatMs / 2);
    for (let entryIds = held; ; entryIds = this.#settings.held()) {
      const args = [group, consumerId, strandedMs, STRANDED_BATCH, ...entryIds];
      const reply = await this.#link.run('renew', this.#keys, args, { buffers: true });
      this.#contact();
      const [lost, stranded] = reply as [Buffer[], Found[]];
      if (lost.length > 0) this.#settings.lost(lost.map(String));
      for (const [id, starts, fields, cancelled] of stranded)
        this.#settings.recovered([id, fields], starts - 1, cancelled === 1);
      // All of them, whatever room there is: one that is left until its lease runs out is charged an attempt.
      if (stranded.length < STRANDED_BATCH || this.isStopping) return;
    }
  }

  #lookFor(ms: number): void {
    this.#lookUntil = Math.max(this.#lookUntil, this.#settings.clock.monotonic() + ms);
  }

  async #reclaim(): Promise<void> {
    const { group, consumerId, leaseMs, clock } = this.#settings;
    const isQuiet = (): boolean => clock.monotonic() < this.#quietUntil;
    if (isQuiet() || clock.monotonic() - this.#lastContact > 2 * this.#beatMs) {
      await this.#link.call('PING', []);
      this.#contact();
    }
    if (isQuiet()) return;
    let room = this.#settings.room();
    // Round at most once a beat, and never more than can run here.
    for (let calls = 0; room > 0 && calls < 100 && !this.isStopping; calls++) {
      const count = Math.min(room, RECLAIM_BATCH);
      const args = [group, consumerId, leaseMs, this.#cursor, count, ...this.#settings.held()];
      const reply = await this.#link.run('reclaim', this.#keys, args, { buffers: true });
      this.#contact();
      const [cursor, entries, vanished] = reply as [Buffer, Found[], Buffer[]];
      this.#cursor = cursor.toString();
      for (const [id, starts, fields, cancelled] of entries)
        this.#settings.recovered([id, fields], starts, cancelled === 1);
      if (vanished.length > 0) this.#settings.vanished(vanished.map(String));
      room -= entries.length;
      if (this.#cursor === '0-0') break;
    }
  }

  /**
   * Redis has answered. After an outage leases look expired though their workers live: one lease time for them to renew
   * before anything is taken over. Two beats of silence here may be three, a whole lease, since another's last renewal.
   */
  #contact(): void {
    const { clock, leaseMs } = this.#settings;
    const now = clock.monotonic();
    if (now - this.#lastContact > 2 * this.#beatMs) this.#quietUntil = now + leaseMs;
    this.#lastContact = now;
  }

  async #forget(): Promise<void> {
    const { group, leaseMs } = this.#settings;
    await this.#link.run('retire', this.#keys, [group, '', Math.max(leaseMs * FORGET_AFTER_LEASES, 600_000)]);
  }
}
