import { settlesWithin } from '../../../redis/deadline.js';
import type { PausedBy } from '../hooks.js';
import type { LeaseTerm } from '../lease/lease-term.js';

/**
 * `open`: jobs may start. `paused`: none may, and what was fetched goes back. `unsure`: none may until it is known whether the
 * queue is paused, and which leases are still this worker's; what was fetched stays here for so long.
 */
export type GateState = 'open' | 'unsure' | 'paused';

/** What the gate needs to know of the policy of the queue. */
export interface KnownPolicy {
  /** Monotonic ms from which on what is known may be out of date; Infinity if there is no better knowledge to get. */
  staleAt: number;
  /** Reads it. */
  refresh(): Promise<void>;
}

export interface GateObserver {
  /** The state has changed. */
  changed: () => void;
  paused: (by: PausedBy) => void;
  resumed: (by: PausedBy) => void;
}

/** Without an answer from Redis for so long, jobs start as far as is known. In ms. */
const HOLD_MS = 500;

/** Whether jobs may start in a worker: neither the worker nor its queue is paused. */
export class Gate {
  readonly #policy: KnownPolicy;
  readonly #term: LeaseTerm;
  readonly #observer: GateObserver;
  readonly #paused = { worker: false, queue: false };
  /** Jobs are fetched with lua/take.lua: as many as can start, and more only where that hurts no order and no limit. */
  isGated = false;
  #holds = 0;
  /** Leases may have ended. Unlike the policy, this is not guessed: without an answer from Redis, nothing starts. */
  #isUnproven = false;
  #state: GateState = 'open';

  constructor(policy: KnownPolicy, term: LeaseTerm, observer: GateObserver) {
    this.#policy = policy;
    this.#term = term;
    this.#observer = observer;
    term.onProven(() => {
      if (!this.#isUnproven) return;
      this.#isUnproven = false;
      this.#update();
    });
  }

  get state(): GateState {
    return this.#state;
  }

  isPausedBy(by: PausedBy): boolean {
    return this.#paused[by];
  }

  /**
   * Whether a job may start at `now` (monotonic ms). A process that was stopped (SIGSTOP) does not know what has happened
   * meanwhile: the gate closes until Redis has told, and opens again by itself.
   */
  isOpen(now: number): boolean {
    if (this.#state !== 'open') return false;
    if (now < this.#policy.staleAt && now < this.#term.staleAt) return true;
    if (now >= this.#term.staleAt) {
      this.#isUnproven = true;
      this.#term.prove();
    }
    if (now >= this.#policy.staleAt) this.hold();
    else this.#update();
    return false;
  }

  /** The policy may have changed: nothing starts until it was read. */
  hold(): void {
    this.#holds += 1;
    void settlesWithin(this.#policy.refresh(), HOLD_MS).then((isSettled) => {
      if (!isSettled) this.#policy.staleAt = Infinity;
      this.#holds -= 1;
      this.#update();
    });
    this.#update();
  }

  pause(by: PausedBy): void {
    this.#set(by, true);
  }

  resume(by: PausedBy): void {
    this.#set(by, false);
  }

  #set(by: PausedBy, isPaused: boolean): void {
    if (this.#paused[by] === isPaused) return;
    this.#paused[by] = isPaused;
    this.#update();
    if (isPaused) this.#observer.paused(by);
    else this.#observer.resumed(by);
  }

  #update(): void {
    const { worker, queue } = this.#paused;
    const unlessPaused = this.#holds > 0 || this.#isUnproven ? 'unsure' : 'open';
    const state = worker || queue ? 'paused' : unlessPaused;
    if (state === this.#state) return;
    this.#state = state;
    this.#observer.changed();
  }
}
