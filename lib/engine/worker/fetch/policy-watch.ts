import type { QueueKeys } from '../../../redis/keys.js';
import { readPolicy } from '../../../redis/scripts/read-policy.js';
import type { Policy } from '../../../redis/scripts/read-policy.js';
import { Timer } from '../../../redis/timer.js';
import type { Clock } from '../../base/clock.js';
import { ConnectionError, DecodeError, messageOf } from '../../base/errors.js';
import { NextCall } from '../../base/next-call.js';
import { printable } from '../../base/printable.js';
import type { CommandLink } from '../../connection/command-link.js';
import { POLL_MS } from '../../timers/due-loop.js';
import { whenFilled } from '../../timers/empty-watch.js';

/** What was read longer ago than this may have changed: this process was stopped, or its event loop was. In ms. */
const STALE_MS = 1.5 * POLL_MS;

/** What a worker declares of the policy. */
interface Declared {
  readonly isEmpty: boolean;
  /** Stores what Redis does not know any more. Resolves with whether there was something. */
  restore(policy: Policy): Promise<boolean>;
}

/**
 * Knows the policy of a queue, which is in Redis, so that all processes agree on it. A wake entry tells of a change. Wakes
 * can get lost, so this looks once a second, too: while there is no policy, with the one command that all empty sets of a
 * connection share; else with a read of its own. What the worker declares and Redis has lost is stored again before anything starts.
 */
export class PolicyWatch {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #declared: Declared;
  readonly #changed: (policy: Policy) => void;
  readonly #onError: (error: unknown) => void;
  /** The read that is under way may come before the change. */
  readonly #reads = new NextCall(() => this.#read());
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #stopped = false;
  #lastError = '';
  #lastGarbage = '';
  /** Monotonic ms from which on what is known may be out of date. */
  staleAt = Infinity;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    clock: Pick<Clock, 'monotonic'>,
    declared: Declared,
    changed: (policy: Policy) => void,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#clock = clock;
    this.#declared = declared;
    this.#changed = changed;
    this.#onError = onError;
  }

  /**
   * Reads the policy. Rejects if Redis does not answer; then what was known stays in effect. The same if Redis refuses the
   * read, but that is reported here.
   */
  refresh(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return this.#reads.call();
  }

  /** Looks no more. */
  stop(): void {
    this.#stopped = true;
    this.#unplan();
  }

  async #read(): Promise<void> {
    if (this.#stopped) return;
    this.#unplan();
    const sentAt = this.#clock.monotonic();
    let hasPolicy = true;
    try {
      let policy = await readPolicy(this.#link, this.#keys);
      if (await this.#declared.restore(policy)) policy = await readPolicy(this.#link, this.#keys);
      this.#lastError = '';
      this.staleAt = sentAt + STALE_MS;
      hasPolicy = policy.pausedSince !== undefined || policy.isGated || !this.#declared.isEmpty;
      if (!this.#stopped) this.#changed(policy);
      this.#report(policy.garbage);
    } catch (error) {
      // Without an answer, waiting for one would stop the jobs that are here.
      this.staleAt = Infinity;
      if (!(error instanceof ConnectionError) || error.unknownOutcome) throw error;
      const message = messageOf(error);
      if (message !== this.#lastError) this.#onError(error);
      this.#lastError = message;
    } finally {
      this.#plan(hasPolicy);
    }
  }

  /** Once, until it changes. */
  #report(garbage: Policy['garbage']): void {
    const fields = garbage.map(([field, value]) => `"${field}" is "${printable(value)}"`).join(', ');
    if (fields !== this.#lastGarbage && fields !== '') {
      const key = printable(this.#keys.meta);
      this.#onError(
        new DecodeError(
          `The policy of the queue in the key "${key}" has fields that are no whole numbers from 1, so they are ignored: ${fields}. ` +
            'Another program wrote them. Set or remove these limits, or resume the queue, to replace them.',
        ),
      );
    }
    this.#lastGarbage = fields;
  }

  /** @param byItself there is a policy, or it cannot be read, so the shared command cannot watch it */
  #plan(byItself: boolean): void {
    if (this.#stopped) return;
    const look = (): void => {
      this.refresh().catch(this.#onError);
    };
    if (byItself) {
      this.#timer = new Timer(POLL_MS, look).unref();
      return;
    }
    this.#unwatch = whenFilled(this.#link, this.#keys.meta, look, (agoMs) => {
      this.staleAt = this.#clock.monotonic() - agoMs + STALE_MS;
    });
  }

  #unplan(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}
