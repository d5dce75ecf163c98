import type { QueueKeys } from '../../../redis/keys.js';
import { confirmStarts } from '../../../redis/scripts/confirm-starts.js';
import type { ConfirmStartsOptions } from '../../../redis/scripts/confirm-starts.js';
import { Timer } from '../../../redis/timer.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { InFlight } from './in-flight.js';
import { hasNotStarted } from './states.js';

/** How often it is looked whether the jobs have started, in ms. */
const LOOK_MS = 10;

/**
 * Says to Redis that jobs have started which were reclaimed, or recovered after a lost reply, once they have: until then, they count as starts that do not leave the window of a
 * rate limit. Looks at the jobs instead of observing them, because jobs are seldom reclaimed, and observers are told of every job.
 */
export class ReclaimedStarts {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #inFlight: InFlight;
  readonly #onError: (error: unknown) => void;
  readonly #waiting = new Map<() => ConfirmStartsOptions, ReadonlySet<string>>();
  #timer: Timer | undefined;

  constructor(link: CommandLink, keys: QueueKeys, inFlight: InFlight, onError: (error: unknown) => void) {
    this.#link = link;
    this.#keys = keys;
    this.#inFlight = inFlight;
    this.#onError = onError;
  }

  /** @param starts what to confirm then */
  add(starts: () => ConfirmStartsOptions, entryIds: readonly string[]): void {
    this.#waiting.set(starts, new Set(entryIds));
    this.#timer ??= new Timer(LOOK_MS, this.#look);
  }

  /** What has not started by now counts for a while longer. */
  stop(): void {
    this.#timer?.clear();
    this.#waiting.clear();
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const notStarted = new Set<string>();
    for (const { entryId, state } of this.#inFlight) if (hasNotStarted(state)) notStarted.add(entryId);
    for (const [starts, entryIds] of this.#waiting) {
      if ([...entryIds].some((id) => notStarted.has(id))) continue;
      this.#waiting.delete(starts);
      confirmStarts(this.#link, this.#keys, starts()).catch(this.#onError);
    }
    if (this.#waiting.size > 0) this.#timer = new Timer(LOOK_MS, this.#look);
  };
}
