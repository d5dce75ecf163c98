import { backoffMs, BUILT_IN_BACKOFFS } from '../../job/backoff.js';
import { withDeadline } from '../../../redis/deadline.js';
import { ConfigError } from '../../base/errors.js';
import type { BackoffStrategy } from '../../config/options.js';
import { MOST_DELAY_MS } from '../../config/checks.js';
import { inOwnContext } from '../../base/own-context.js';
import { printable } from '../../base/printable.js';
import { readProperty } from '../../base/safe-access.js';
import { detailOf, messageOf } from '../../base/thrown.js';
import { nearestKey } from '../../config/nearest-key.js';
import type { Delivery } from '../lease/delivery.js';
import { FAIL_NOW } from './outcome.js';
import type { WorkerSettings } from '../settings.js';

/** How long a strategy may take. The job keeps its lease and its slot until then. */
const DEADLINE_MS = 5_000;
/** Each unknown name is reported once. This is the most that are remembered. */
const MAX_REPORTED = 100;
/** Longest text of a problem in a message, in characters. */
const MAX_PROBLEM = 500;

/** Decides how long a failed job waits for its next attempt: by a strategy of the user's own, or by the formula. */
export class RetryDelay {
  readonly #settings: WorkerSettings;
  readonly #onError: (error: unknown) => void;
  readonly #reported = new Set<string>();

  constructor(settings: WorkerSettings, onError: (error: unknown) => void) {
    this.#settings = settings;
    this.#onError = onError;
  }

  /** In ms, or {@link FAIL_NOW}; a promise if a strategy returns one. Never throws, never rejects. */
  of(delivery: Delivery, error: unknown): number | Promise<number> {
    const kind = delivery.retry?.backoff?.kind;
    if (kind === undefined) return this.#default(delivery);
    const strategy = this.#strategyOf(kind);
    if (strategy) return this.#ask(strategy, kind, delivery, error);
    if (!(BUILT_IN_BACKOFFS as readonly string[]).includes(kind)) this.#reportUnknown(kind, delivery);
    return this.#default(delivery);
  }

  #strategyOf(kind: string): BackoffStrategy | undefined {
    const strategies = this.#settings.backoffStrategies;
    return Object.hasOwn(strategies, kind) ? strategies[kind] : undefined;
  }

  #default({ attempt, retry }: Delivery): number {
    return backoffMs(attempt, retry?.backoff, this.#settings.retry, Math.random);
  }

  #ask(
    strategy: BackoffStrategy,
    kind: string,
    delivery: Delivery,
    error: unknown,
  ): number | Promise<number> {
    const failed = (problem: string, cause?: unknown): number => {
      this.#onError(strategyError(kind, delivery, problem, cause));
      return this.#default(delivery);
    };
    const checked = (answer: unknown): number => {
      if (answer === FAIL_NOW) return FAIL_NOW;
      if (typeof answer === 'number' && answer >= 0 && answer <= MOST_DELAY_MS) return Math.round(answer);
      return failed(`returned ${shown(answer)}`);
    };
    try {
      const answer: unknown = inOwnContext(strategy, delivery.attempt, error);
      if (typeof readProperty(answer, 'then') !== 'function') return checked(answer);
      const settled = new Promise<unknown>((resolve) => {
        resolve(answer);
      });
      return withDeadline(settled, DEADLINE_MS, () => new Late(), asItIs).then(checked, (reason: unknown) =>
        reason instanceof Late
          ? failed(`did not answer within ${String(DEADLINE_MS)} ms`)
          : failed(`rejected with ${detailOf(reason)}`, reason),
      );
    } catch (thrown) {
      return failed(`threw ${detailOf(thrown)}`, thrown);
    }
  }

  #reportUnknown(kind: string, delivery: Delivery): void {
    if (this.#reported.has(kind) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(kind);
    const known = [...BUILT_IN_BACKOFFS, ...Object.keys(this.#settings.backoffStrategies)];
    const nearest = nearestKey(kind, known);
    this.#onError(
      new ConfigError(
        `${describe(delivery)} has the backoff type "${printable(kind)}", which this worker does not know.` +
          `${nearest === undefined ? '' : ` Did you mean "${nearest}"?`} It knows ${known.map((name) => `"${name}"`).join(', ')}; ` +
          'add others to its option "backoffStrategies". The job backs off exponentially.',
      ),
    );
  }
}

class Late extends Error {}

function strategyError(kind: string, delivery: Delivery, problem: string, cause: unknown): ConfigError {
  return new ConfigError(
    `The backoff strategy "${kind}" ${problem.slice(0, MAX_PROBLEM)} after attempt ${String(delivery.attempt)} of ${describe(delivery)}. ` +
      'It must return a number of ms of at least 0 and at most 2,592,000,000 (30 days), or -1 to fail the job now. The default backoff applies.',
    cause === undefined ? undefined : { cause },
  );
}

/** What a strategy returned, for a message. */
function shown(answer: unknown): string {
  return (typeof answer === 'string' ? `"${answer}"` : messageOf(answer)).slice(0, 100);
}

function describe({ jobId, name }: Delivery): string {
  return `job ${printable(jobId)} ("${printable(name)}")`;
}

/** The reason may be any value. */
function asItIs(reason: unknown): Error {
  return reason as Error;
}
