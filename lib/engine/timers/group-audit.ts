import type { QueueKeys } from '../../redis/keys.js';
import { auditGroups } from '../../redis/scripts/audit-groups.js';
import { Timer } from '../../redis/timer.js';
import { ConnectionError } from '../base/errors.js';
import { Service } from '../base/service.js';
import type { CommandLink } from '../connection/command-link.js';

/** Until the first step, and after a step that failed, in ms. */
const FIRST_MS = 2_000;

/** While a queue is gated, compares what Redis knows of its groups with what is true: lua/audit-groups.lua. */
export class GroupAudit extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #onError: (error: unknown) => void;
  #isGated = false;
  #timer: Timer | undefined;
  #auditing: Promise<void> | undefined;

  constructor(link: CommandLink, keys: QueueKeys, onError: (error: unknown) => void) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#onError = onError;
  }

  /** Whether the queue is gated, as far as is known. */
  set isGated(isGated: boolean) {
    this.#isGated = isGated;
    if (isGated && this.isStarted && !this.#timer && !this.#auditing) this.#plan(FIRST_MS);
  }

  protected onStart(): Promise<void> {
    if (this.#isGated) this.#plan(FIRST_MS);
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await this.#auditing;
  }

  #plan(ms: number): void {
    this.#timer = undefined;
    if (this.isStopping || !this.#isGated) return;
    this.#timer = new Timer(ms, () => {
      this.#timer = undefined;
      this.#auditing = this.#audit().then((againMs) => {
        this.#auditing = undefined;
        this.#plan(againMs);
      });
    }).unref();
  }

  async #audit(): Promise<number> {
    try {
      return (await auditGroups(this.#link, this.#keys)).againMs;
    } catch (error) {
      // Without a connection, others report that.
      if (!this.isStopping && !(error instanceof ConnectionError)) this.#onError(error);
      return FIRST_MS;
    }
  }
}
