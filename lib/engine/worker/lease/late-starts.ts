import type { QueueKeys } from '../../../redis/keys.js';
import { confirmStarts } from '../../../redis/scripts/confirm-starts.js';
import { Timer } from '../../../redis/timer.js';
import type { Clock } from '../../base/clock.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { InFlight } from './in-flight.js';
import { hasNotStarted } from './states.js';

/** How often it is looked whether the jobs have started, in ms. */
const LOOK_MS = 10;
/** For so long after jobs were found that had got lost, each heartbeat says what has been found: then such jobs count no more. In ms. */
const FOUND_MS = 30_000;

export interface LateStartsSettings {
  consumerId: string;
  clock: Pick<Clock, 'monotonic'>;
}

/**
 * Says to Redis that jobs have started which did not start as soon as they were here, once they have: jobs that wait for a handler or
 * for a batch, and jobs that were reclaimed, or recovered after a lost reply. Until then, they count as starts that do not leave the
 * window of a rate limit. Looks at the jobs instead of observing them, because such jobs are rare, and observers are told of every job.
 */
export class LateStarts {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: LateStartsSettings;
  readonly #inFlight: InFlight;
  readonly #onError: (error: unknown) => void;
  /** The entry ids of jobs that were delivered together, by what is said to Redis when all of them have started. */
  readonly #waiting = new Map<string, readonly string[]>();
  /** The entry ids of jobs that had got lost on the way here. */
  readonly #found = new Set<string>();
  /** When such a job was last found; monotonic ms. */
  #foundAt = -Infinity;
  /** Unix ms: all that had got lost before was found. Undefined: that is said. */
  #lostBefore: number | undefined;
  #timer: Timer | undefined;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: LateStartsSettings,
    inFlight: InFlight,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.#onError = onError;
  }

  /** Jobs that were delivered together. @param starts what take.lua, or reclaim.lua, replied with them */
  add(starts: string, entryIds: readonly string[]): void {
    this.#waiting.set(starts, entryIds);
    this.#plan();
  }

  /**
   * A heartbeat has looked for jobs that had got lost on the way here, and has found these.
   * @param before unix ms of Redis: with them, all are found that were delivered before; undefined: nobody knows
   */
  found(entryIds: readonly string[], before: number | undefined): void {
    const now = this.#settings.clock.monotonic();
    if (entryIds.length > 0) this.#foundAt = now;
    // Also where it has found none: Redis may have learned only now that a delivery before was lost.
    if (now - this.#foundAt >= FOUND_MS) return;
    for (const id of entryIds) this.#found.add(id);
    this.#lostBefore = before ?? this.#lostBefore;
    this.#plan();
  }

  /** What has not started by now counts for a while longer. */
  stop(): void {
    this.#timer?.clear();
    this.#waiting.clear();
    this.#lostBefore = undefined;
  }

  #plan(): void {
    this.#timer ??= new Timer(LOOK_MS, this.#look);
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const notStarted = this.#notStarted();
    for (const [starts, entryIds] of this.#waiting) {
      if (entryIds.some((id) => notStarted.has(id))) continue;
      this.#waiting.delete(starts);
      this.#confirm({ starts });
    }
    for (const id of this.#found) if (!notStarted.has(id)) this.#found.delete(id);
    if (this.#found.size === 0 && this.#lostBefore !== undefined) {
      this.#confirm({ lostBefore: this.#lostBefore });
      this.#lostBefore = undefined;
    }
    if (this.#waiting.size > 0 || this.#lostBefore !== undefined) this.#plan();
  };

  #notStarted(): ReadonlySet<string> {
    const ids = new Set<string>();
    // One that was delivered `again` runs once more when the run before has ended.
    for (const { entryId, state, again } of this.#inFlight)
      if (again || hasNotStarted(state)) ids.add(entryId);
    return ids;
  }

  #confirm(what: { starts: string } | { lostBefore: number }): void {
    const { consumerId } = this.#settings;
    confirmStarts(this.#link, this.#keys, { consumerId, ...what }).catch(this.#onError);
  }
}
