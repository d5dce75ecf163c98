import { readGauges } from '../connection/read-gauges.js';
import { warn } from '../base/emit.js';
import { guarded } from '../base/telemetry.js';
import type { Guarded, ProducerTelemetry, Telemetry } from '../base/telemetry.js';
import { keepOfQueue } from '../codec/keep.js';
import { isCluster } from '../../redis/client.js';
import { queueKeys } from '../../redis/keys.js';
import type { QueueKeys } from '../../redis/keys.js';
import { CommandLink } from '../connection/command-link.js';
import { alsoTelling } from '../connection/observe.js';
import type { ConnectionObserver } from '../connection/shared.js';
import { Enqueuer } from '../enqueue/enqueuer.js';
import { sendObserved } from '../enqueue/send-observed.js';
import type { Duplicates } from '../enqueue/group.js';
import { eventsSettingsOf } from '../config/events-settings.js';
import type { EventsSettings } from '../config/events-settings.js';
import { ConfigError, ShutdownError, messageOf } from '../base/errors.js';
import { MAX_DELAY_SECS, MAX_PAYLOAD_BYTES } from '../enqueue/new-job.js';
import type { JobLimits, NewJob } from '../enqueue/new-job.js';
import type { QueueOptions } from '../config/options.js';
import { DeclaredSchedules } from '../timers/repeat/declared-schedules.js';
import { Results } from '../results/results.js';

const MAX_STREAM_LEN = 1_000_000;
/** The group whose backlog the gauges show. */
const DEFAULT_GROUP = 'default';

/**
 * The engine of the producing side, under `Queue` and `Producer`: the connection, adding jobs, results, the schedules that
 * were declared, and closing in order.
 */
export class ProducerCore {
  readonly name: string;
  readonly keys: QueueKeys;
  readonly limits: JobLimits;
  /** How scripts write events. */
  readonly events: EventsSettings;
  readonly link: CommandLink;
  readonly results: Results;
  readonly declared: DeclaredSchedules;
  readonly #enqueuer: Enqueuer;
  readonly #telemetry: Guarded<ProducerTelemetry> | undefined;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  #force: () => void = () => undefined;
  readonly #forced = new Promise<void>((resolve) => {
    this.#force = resolve;
  });

  /** @param opts checked options */
  constructor(name: string, opts: QueueOptions, observer: ConnectionObserver) {
    this.name = name;
    this.keys = queueKeys(name);
    this.limits = {
      maxPayloadBytes: opts.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
      maxDelayMs: (opts.maxDelaySecs ?? MAX_DELAY_SECS) * 1000,
      keep: keepOfQueue(opts.trackJobs),
    };
    const events = (this.events = eventsSettingsOf(opts));
    this.link = new CommandLink(
      opts.connection,
      opts,
      opts.telemetry ? alsoTelling((end) => this.#telemetry?.reconnected?.(end), observer) : observer,
    );
    if (opts.durability && isCluster(this.link.client)) {
      this.link.release();
      throw new ConfigError(
        `Queue "${name}": "durability" needs a single master; a cluster cannot route WAIT.`,
      );
    }
    this.#telemetry = opts.telemetry && this.#observe(opts.telemetry);
    this.#enqueuer = new Enqueuer(this.link, this.keys, {
      maxStreamLen: opts.maxStreamLen ?? MAX_STREAM_LEN,
      ...events,
      durability: opts.durability,
      sent: this.#telemetry?.sent,
    });
    this.results = new Results(name, this.keys, this.link, opts);
    this.declared = new DeclaredSchedules(
      this.link,
      this.keys,
      this.limits.maxPayloadBytes,
      this.#telemetry?.scheduled,
    );
  }

  /** 0 = no events. */
  get eventsCap(): number {
    return this.events.eventsCap;
  }

  get producerId(): string {
    return this.#enqueuer.producerId;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Adds all jobs or none. Resolves with the duplicates. */
  enqueue(jobs: readonly NewJob[]): Promise<Duplicates> {
    this.assertOpen();
    const telemetry = this.#telemetry;
    if (!telemetry) return this.#enqueue(jobs);
    return sendObserved(telemetry, jobs, this.limits.maxPayloadBytes, () => this.#enqueue(jobs));
  }

  #enqueue(jobs: readonly NewJob[]): Promise<Duplicates> {
    if (this.link.isReady) return this.#enqueuer.enqueue(jobs);
    return this.link.ready().then(() => this.#enqueuer.enqueue(jobs));
  }

  #observe(telemetry: Telemetry): Guarded<ProducerTelemetry> | undefined {
    const { link } = this;
    const queue = {
      queue: this.name,
      get address() {
        return link.address;
      },
      gauges: () => readGauges(link, this.keys, DEFAULT_GROUP),
    };
    const onError = (cause: unknown): void => {
      warn(
        new Error(
          `nestjs-chasqui: the telemetry of queue "${this.name}" has failed; jobs are added without it: ${messageOf(cause)}`,
          { cause },
        ),
      );
    };
    const observer = guarded(telemetry, onError).producer?.(queue);
    return observer && guarded(observer, onError);
  }

  /** Calls Redis. Waits for the connection first; `close()` waits for the call. */
  async use<T>(call: (link: CommandLink, keys: QueueKeys) => Promise<T>): Promise<T> {
    this.assertOpen();
    await this.link.ready();
    return this.#track(call(this.link, this.keys));
  }

  /** Resolves when Redis answers and is new enough. */
  async ready(): Promise<void> {
    await this.use(() => Promise.resolve());
  }

  /** @throws ShutdownError (CMQ-005) */
  assertOpen(): void {
    if (this.#closing) throw new ShutdownError(`Queue "${this.name}" is closed.`);
  }

  /**
   * Waits for calls in flight, then releases the connection. Idempotent.
   * @param force do not wait for them; also if a `close()` without it is still waiting
   */
  close(force = false): Promise<void> {
    if (force) this.#force();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Each call has a deadline of its own, so this ends.
    const idle = this.declared
      .close()
      .then(() => Promise.allSettled([...this.#running, this.#enqueuer.idle()]))
      .then(() => this.results.close());
    await Promise.race([idle, this.#forced]);
    this.#telemetry?.closed?.();
    this.link.release();
    void this.results.close();
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const done = (): void => {
      this.#running.delete(work);
    };
    work.then(done, done);
    return work;
  }
}
