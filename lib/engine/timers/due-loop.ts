import { Timer } from '../../redis/timer.js';
import { systemClock } from '../base/clock.js';
import type { Clock } from '../base/clock.js';
import { Service } from '../base/service.js';

/** What one look at a set of due things found. */
export interface Look {
  /** False: another process leads, and nothing was done. */
  leads: boolean;
  /** There may be more that is due already. */
  more: boolean;
  /** When the next thing is due, in unix ms by Redis's clock; undefined if nothing waits. */
  nextDue: number | undefined;
  /** Redis's clock, in unix ms. */
  now: number;
  /** For how long another process leads still, in ms, where one does. */
  ledForMs?: number | undefined;
}

/** Entries of a wake stream, to acknowledge. */
export interface Wake {
  /** Unix ms by Redis's clock at which something has become due; undefined: look at once. */
  due?: number | undefined;
  entryId?: string | undefined;
}

export interface DueLoopSettings {
  /** Takes up what is due. `take`: lead from now on, whoever led. `entryIds`: wake entries to acknowledge. */
  look: (take: boolean, entryIds: readonly string[]) => Promise<Look>;
  /**
   * Longest time between two looks, in ms. Whoever was to be woken may be stopped or gone, and its wake entry with it:
   * then what is due is found by the next look of any other process.
   */
  idleMs: number;
  clock?: Pick<Clock, 'monotonic'> | undefined;
  /** Looks instead of this loop while nothing waits at all, and calls `filled` once something does. Returns its end. */
  whenFilled?: ((filled: () => void) => () => void) | undefined;
  /** Gives the lead up, at the end. */
  resign?: () => Promise<unknown>;
  onError: (error: unknown) => void;
}

/** Default of `idleMs`. With the time for which a leader may be silent, a due thing is late by two seconds at most. */
export const LOOK_MS = 1_000;

const FAILURE_MS = 1_000;

/**
 * Takes up what falls due, for the promoter and the scheduler: sleeps until the next thing is due and is woken when
 * something earlier arrives. Whoever is woken leads from then on, because only they know of it; the others look once an
 * idle time, and lead where something is overdue and the leader is silent.
 *
 * Due times are by Redis's clock. How long to sleep is by a monotonic clock, as timers are: the wall clock of the host
 * may be set at any time, and is never asked.
 */
export class DueLoop extends Service {
  readonly #settings: DueLoopSettings;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** Monotonic ms at which the next look is planned. */
  #plannedAt = Infinity;
  /** Redis's clock minus the monotonic one, in ms; undefined before the first look. */
  #offset: number | undefined;
  #take = false;
  #again = false;
  #entryIds: string[] = [];
  #unwatch: (() => void) | undefined;

  constructor(settings: DueLoopSettings) {
    super();
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
  }

  /** Something has become due, perhaps earlier than known here. */
  wake(wake: Wake = {}): void {
    if (!this.isStarted || this.isStopping) return;
    if (wake.entryId !== undefined) this.#entryIds.push(wake.entryId);
    // A wake entry is answered at once, which takes the lead: if this process died until the time is due, nobody else
    // would know.
    const known = wake.due !== undefined && wake.entryId === undefined && this.#offset !== undefined;
    const inMs = known ? (wake.due ?? 0) - (this.#clock.monotonic() + (this.#offset ?? 0)) : 0;
    // A look that is planned for no later serves this one too, if this process leads; and if it does not, taking the lead
    // at that time is what is wanted.
    if (wake.due !== undefined || wake.entryId !== undefined) this.#take = true;
    if (this.#looking) this.#again = true;
    this.#plan(Math.max(0, inMs));
  }

  protected onStart(): Promise<void> {
    this.#plan(0);
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await this.#looking;
    this.#unwatch?.();
    // Redis may be away: then the lease runs out by itself.
    await this.#settings.resign?.().catch(() => undefined);
  }

  #plan(inMs: number): void {
    if (this.isStopping) return;
    const at = this.#clock.monotonic() + inMs;
    if (at >= this.#plannedAt) return;
    this.#plannedAt = at;
    this.#timer?.clear();
    const look = (): void => {
      this.#plannedAt = Infinity;
      this.#timer = undefined;
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    };
    this.#timer = new Timer(Math.ceil(inMs), look);
  }

  async #look(): Promise<void> {
    const { look, idleMs, whenFilled, onError } = this.#settings;
    this.#unwatch?.();
    this.#unwatch = undefined;
    try {
      let found: Look;
      do {
        this.#again = false;
        const take = this.#take;
        const entryIds = this.#entryIds;
        this.#take = false;
        this.#entryIds = [];
        try {
          found = await look(take, entryIds);
        } catch (error) {
          this.#take = take;
          this.#entryIds.push(...entryIds);
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
      // Whoever leads may have died: the next to lead should not wait longer than its lease.
      const untilFree = found.leads ? Infinity : (found.ledForMs ?? Infinity) + 5;
      this.#plan(Math.max(1, Math.min(untilDue, untilFree, idleMs)));
    } catch (error) {
      if (!this.isStopping) onError(error);
      this.#plan(Math.min(FAILURE_MS, idleMs));
    }
  }
}

/** The time that a wake entry tells. */
export function dueOf(fields: readonly Buffer[]): number | undefined {
  const at = fields.findIndex((field) => field.toString() === 'due');
  const due = Number(fields[at + 1]);
  return at >= 0 && Number.isFinite(due) ? due : undefined;
}
