import { hostname } from 'node:os';
import type { QueueKeys } from '../../redis/keys.js';
import { reportWorker } from '../../redis/scripts/report-worker.js';
import { Timer } from '../../redis/timer.js';
import { ConnectionError, messageOf } from '../base/errors.js';
import { Service } from '../base/service.js';
import { engineVersion } from '../base/version.js';
import type { CommandLink } from '../connection/command-link.js';
import type { WorkerHealth } from './health.js';
import { labelOf } from './identity.js';

export interface RegistrationSettings {
  consumerId: string;
  leaseMs: number;
}

/** Between two reports: a third of a lease, as the heartbeat, within these bounds, in ms. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
/** A report is kept for so many times the interval. */
const KEPT_INTERVALS = 3;

/** Reports in Redis who this worker is and how it does, for `Queue.getWorkers`. A failure stops nothing. */
export class Registration extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: RegistrationSettings;
  readonly #health: () => Pick<WorkerHealth, 'concurrency' | 'running' | 'paused'>;
  readonly #onError: (error: unknown) => void;
  readonly #intervalMs: number;
  #startedAt: string | undefined;
  #timer: Timer | undefined;
  #reporting: Promise<void> | undefined;
  #again = false;
  #lastError = '';

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: RegistrationSettings,
    health: () => Pick<WorkerHealth, 'concurrency' | 'running' | 'paused'>,
    onError: (error: unknown) => void,
  ) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#health = health;
    this.#onError = onError;
    this.#intervalMs = Math.max(SHORTEST_MS, Math.min(settings.leaseMs / 3, LONGEST_MS));
  }

  /** Reports now: something that others should know has changed. */
  changed(): void {
    if (!this.isStarted || this.isStopping) return;
    if (this.#reporting) this.#again = true;
    else this.#report();
  }

  protected onStart(): Promise<void> {
    this.#report();
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await this.#reporting;
  }

  #report(): void {
    this.#timer?.clear();
    this.#reporting = this.#send().finally(() => {
      this.#reporting = undefined;
      if (this.isStopping) return;
      this.#timer = new Timer(this.#again ? 0 : this.#intervalMs, () => {
        this.#report();
      }).unref();
      this.#again = false;
    });
  }

  async #send(): Promise<void> {
    const { consumerId, leaseMs } = this.#settings;
    const { concurrency, running, paused } = this.#health();
    try {
      this.#startedAt = await reportWorker(this.#link, this.#keys, {
        consumerId,
        ttlMs: KEPT_INTERVALS * this.#intervalMs,
        startedAt: this.#startedAt,
        fields: {
          name: labelOf(consumerId),
          host: hostname(),
          pid: process.pid,
          version: engineVersion(),
          concurrency,
          running,
          paused: paused ? 1 : 0,
          leaseMs: Math.ceil(leaseMs),
        },
      });
      this.#lastError = '';
    } catch (error) {
      this.#failed(error);
    }
  }

  /** An outage, and a full memory, are reported elsewhere. Other faults are reported once. */
  #failed(error: unknown): void {
    const message = messageOf(error);
    const isKnown = (error instanceof ConnectionError && error.unknownOutcome) || message.includes('OOM');
    if (!isKnown && message !== this.#lastError && !this.isStopping) this.#onError(error);
    this.#lastError = message;
  }
}
