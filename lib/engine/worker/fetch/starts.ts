import type { Delivery } from '../lease/delivery.js';
import { hasNotStarted } from '../lease/states.js';

export interface StartsSettings {
  /** Says to Redis that the jobs of a delivery have started. */
  confirm: (starts: string) => Promise<void>;
  /** Does so once they have: some of them wait here. */
  late: (starts: string, entryIds: readonly string[]) => void;
  onError: (error: unknown) => void;
}

/** What the next call that asks for jobs says of the deliveries before. */
export interface SaidOfBefore {
  /** The last delivery that has arrived, if Redis has yet to hear of it. */
  readonly before: string | undefined;
  /** Some of its jobs have not started. */
  readonly isLate: boolean;
  /** A delivery since may be lost. */
  readonly isLost: boolean;
}

interface Arrived {
  readonly starts: string;
  readonly jobs: readonly Delivery[];
  /** A call says it, or has said it. */
  isSaid: boolean;
  isLate: boolean;
}

/** Says to Redis that jobs have started: with the next call that asks for jobs, or by itself if that does not come at once. */
export class Starts {
  readonly #settings: StartsSettings;
  /** The last delivery, if Redis may not know that it has started. */
  #last: Arrived | undefined;
  /** No reply has come to the last call so far. */
  #isLost = false;

  constructor(settings: StartsSettings) {
    this.#settings = settings;
  }

  /** For a call that is sent now. */
  take(): SaidOfBefore {
    const last = this.#last;
    const isLate = last !== undefined && this.#isLate(last);
    if (last) last.isSaid = true;
    const said = { before: last?.starts, isLate, isLost: this.#isLost };
    this.#isLost = true;
    return said;
  }

  /** The reply to the call is here, so Redis knows what the call has said. */
  arrived(): void {
    this.#isLost = false;
    this.#last = undefined;
  }

  /** The call has failed. Redis may not have heard what it has said. */
  failed(): void {
    if (this.#last) this.#say(this.#last);
  }

  /** The reply has brought these jobs. Resolves when those have started that can: before that, no call may be sent. */
  add(starts: string, jobs: readonly Delivery[]): Promise<void> {
    const last = { starts, jobs, isSaid: false, isLate: false };
    this.#last = last;
    setImmediate(() => {
      if (!last.isSaid) this.#say(last);
    });
    // Admission calls their handlers at the end of this tick.
    return new Promise((resolve) => {
      process.nextTick(resolve);
    });
  }

  #say(last: Arrived): void {
    if (this.#isLate(last)) return;
    const { confirm, onError } = this.#settings;
    confirm(last.starts).then(() => {
      if (this.#last === last) this.#last = undefined;
    }, onError);
  }

  /** Whether some of its jobs have not started: their handlers are needed for jobs of dead workers, or a batch is not full, say. */
  #isLate(last: Arrived): boolean {
    if (!last.jobs.some(({ state }) => hasNotStarted(state))) return false;
    if (!last.isLate) {
      const entryIds = last.jobs.map(({ entryId }) => entryId);
      this.#settings.late(last.starts, entryIds);
    }
    last.isLate = true;
    return true;
  }
}
