import type { QueueKeys } from '../../redis/keys.js';
import type { ScriptRunner } from '../../redis/script-runner.js';
import type { Policy } from '../../redis/scripts/read-policy.js';
import { setPolicy } from '../../redis/scripts/set-policy.js';
import type { DeclaredKind, PolicyFields } from '../../redis/scripts/set-policy.js';
import { groupFields } from '../config/options/group.js';
import type { WorkerSettings } from './settings.js';

/** The limits that the options of a worker declare. They are stored in Redis. */
export class DeclaredLimits {
  readonly #runner: ScriptRunner;
  readonly #keys: QueueKeys;
  readonly #limits: [DeclaredKind, PolicyFields][] = [];

  constructor(
    runner: ScriptRunner,
    keys: QueueKeys,
    { limiter, groupLimits }: Pick<WorkerSettings, 'limiter' | 'groupLimits'>,
  ) {
    this.#runner = runner;
    this.#keys = keys;
    if (limiter) this.#limits.push(['limiter', { max: limiter.max, duration: limiter.duration }]);
    if (groupLimits) this.#limits.push(['group', groupFields(groupLimits)]);
  }

  /** The worker declares no limits. */
  get isEmpty(): boolean {
    return this.#limits.length === 0;
  }

  /** Stores the limits, when the worker starts. Those that were declared before change nothing. */
  declare(): Promise<void> {
    return this.#declare(this.#limits, false);
  }

  /**
   * Stores the limits that Redis does not know any more: it has lost its data, or somebody has removed them. Limits of the kind that
   * another worker has declared stay. Resolves with whether there were such limits.
   */
  async restore({ declared }: Pick<Policy, 'declared'>): Promise<boolean> {
    const missing = this.#limits.filter(([kind]) => !declared[kind]);
    await this.#declare(missing, true);
    return missing.length > 0;
  }

  async #declare(limits: readonly [DeclaredKind, PolicyFields][], restores: boolean): Promise<void> {
    for (const [declaredBy, fields] of limits) {
      await setPolicy(this.#runner, this.#keys, { declaredBy, restores, fields });
    }
  }
}
