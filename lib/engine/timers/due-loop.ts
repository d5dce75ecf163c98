import { Timer } from '../../redis/timer.js';
import { systemClock } from '../base/clock.js';
import type { Clock } from '../base/clock.js';
import { Service } from '../base/service.js';

/** What one poll of a set of due things found. */
export interface PollResult {
  /** False: another process leads, and nothing was done. */
  leads: boolean;
  /** More things may be due already. */
  more: boolean;
  /** When the next thing is due, in unix ms by Redis's clock; undefined if the set is empty. */
  nextDue: number | undefined;
  /** Redis's clock, in unix ms. */
  now: number;
  /** If another process leads: for how many ms its lock lasts. */
  ledForMs?: number | undefined;
}

/** A reason to poll, mostly an entry of a wake stream. */
export interface Wake {
  /** Unix ms by Redis's clock at which something becomes due; undefined = poll at once. */
  due?: number | undefined;
  /** The wake entry, to acknowledge. */
  entryId?: string | undefined;
}

export interface DueLoopSettings {
  /**
   * Handles what is due.
   * @param lead lead from now on, whichever process led before
   * @param wakeIds wake entries to acknowledge
   */
  poll: (lead: boolean, wakeIds: readonly string[]) => Promise<PollResult>;
  /**
   * Longest time between two polls, in ms. The process that was to be woken may be stopped or dead, and then its wake
   * entry is lost. The next poll of any other process finds what is due.
   */
  idleMs: number;
  clock?: Pick<Clock, 'monotonic'> | undefined;
  /** Watches the set while it is empty, instead of this loop, and calls `filled` once it is not. Returns how to stop. */
  whenFilled?: ((filled: () => void) => () => void) | undefined;
  /** Gives up the lead, at the end. */
  resign?: () => Promise<unknown>;
  onError: (error: unknown) => void;
}

/** Default of `idleMs`. Together with the time for which a leader may be silent, a due thing is at most two seconds late. */
export const POLL_MS = 1_000;

const FAILURE_MS = 1_000;

/**
 * The loop of the promoter and of the scheduler. It sleeps until the next thing is due, and is woken when something
 * earlier arrives. One process leads, and only the leader handles what is due. The process that is woken becomes the
 * leader, because only that process knows about the new thing. All others poll once per idle time, and take the lead when
 * something is overdue and the leader is silent.
 *
 * Due times are by Redis's clock. Sleeping is by the monotonic clock, as timers are: the wall clock of the host can change
 * at any time and is never used.
 */
export class DueLoop extends Service {
  readonly #settings: DueLoopSettings;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #timer: Timer | undefined;
  #polling: Promise<void> | undefined;
  /** Monotonic ms at which the next poll is planned. */
  #plannedAt = Infinity;
  /** Redis's clock minus the monotonic clock, in ms; undefined before the first poll. */
  #offset: number | undefined;
  #lead = false;
  #again = false;
  #wakeIds: string[] = [];
  #unwatch: (() => void) | undefined;

  constructor(settings: DueLoopSettings) {
    super();
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
  }

  /** Something becomes due, maybe earlier than this loop knows. */
  wake(wake: Wake = {}): void {
    if (!this.isStarted || this.isStopping) return;
    if (wake.entryId !== undefined) this.#wakeIds.push(wake.entryId);
    // A wake entry causes a poll at once, which takes the lead. If this process waited until the due time and died before,
    // no other process would know about the new thing.
    const known = wake.due !== undefined && wake.entryId === undefined && this.#offset !== undefined;
    const inMs = known ? (wake.due ?? 0) - (this.#clock.monotonic() + (this.#offset ?? 0)) : 0;
    // If a poll is already planned for an earlier time, it serves this wake too: it takes the lead.
    if (wake.due !== undefined || wake.entryId !== undefined) this.#lead = true;
    if (this.#polling) this.#again = true;
    this.#plan(Math.max(0, inMs));
  }

  protected onStart(): Promise<void> {
    this.#plan(0);
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await this.#polling;
    this.#unwatch?.();
    // If Redis is away, the lock expires by itself.
    await this.#settings.resign?.().catch(() => undefined);
  }

  #plan(inMs: number): void {
    if (this.isStopping) return;
    const at = this.#clock.monotonic() + inMs;
    if (at >= this.#plannedAt) return;
    this.#plannedAt = at;
    this.#timer?.clear();
    const poll = (): void => {
      this.#plannedAt = Infinity;
      this.#timer = undefined;
      this.#polling ??= this.#poll().finally(() => {
        this.#polling = undefined;
      });
    };
    this.#timer = new Timer(Math.ceil(inMs), poll);
  }

  async #poll(): Promise<void> {
    const { poll, idleMs, whenFilled, onError } = this.#settings;
    this.#unwatch?.();
    this.#unwatch = undefined;
    try {
      let found: PollResult;
      do {
        this.#again = false;
        const lead = this.#lead;
        const wakeIds = this.#wakeIds;
        this.#lead = false;
        this.#wakeIds = [];
        try {
          found = await poll(lead, wakeIds);
        } catch (error) {
          this.#lead = lead;
          this.#wakeIds.push(...wakeIds);
          throw error;
        }
        this.#offset = found.now - this.#clock.monotonic();
      } while ((found.more || this.#again) && !this.isStopping);
      if (found.leads && found.nextDue === undefined && whenFilled && !this.isStopping) {
        this.#unwatch = whenFilled(() => {
          this.#plan(0);
        });
        return;
      }
      const untilDue = found.leads && found.nextDue !== undefined ? found.nextDue - found.now : Infinity;
      // If the leader has died, the next one should take over as soon as the lock expires.
      const untilFree = found.leads ? Infinity : (found.ledForMs ?? Infinity) + 5;
      this.#plan(Math.max(1, Math.min(untilDue, untilFree, idleMs)));
    } catch (error) {
      if (!this.isStopping) onError(error);
      this.#plan(Math.min(FAILURE_MS, idleMs));
    }
  }
}

/** The due time in a wake entry. */
export function dueOf(fields: readonly Buffer[]): number | undefined {
  const at = fields.findIndex((field) => field.toString() === 'due');
  const due = Number(fields[at + 1]);
  return at >= 0 && Number.isFinite(due) ? due : undefined;
}
