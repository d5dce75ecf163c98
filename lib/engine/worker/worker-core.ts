import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { countStart } from '../../redis/scripts/count-start.js';
import { removeConsumers } from '../../redis/scripts/remove-consumers.js';
import { Timer } from '../../redis/timer.js';
import { ShutdownError } from '../base/errors.js';
import { safeSink } from '../base/metrics.js';
import { Service } from '../base/service.js';
import { toError } from '../base/thrown.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobOwner } from '../job/job.js';
import { Admission } from './fetch/admission.js';
import type { AdmissionSettings } from './fetch/admission.js';
import { Intake } from './fetch/intake.js';
import { Reader } from './fetch/reader.js';
import type { ReaderSettings } from './fetch/reader.js';
import { JobCounters } from './health.js';
import type { WorkerHealth } from './health.js';
import type { WorkerHooks } from './hooks.js';
import { JobEvents } from './job-events.js';
import { JobMetrics } from './job-metrics.js';
import { Cancellations } from './lease/cancellations.js';
import type { Delivery } from './lease/delivery.js';
import { InFlight } from './lease/in-flight.js';
import { Leases } from './lease/leases.js';
import { isUndecided } from './lease/states.js';
import { Runner } from './run/runner.js';
import type { Handler } from './run/runner.js';
import type { WorkerSettings } from './settings.js';
import { Announcer } from './settle/announcer.js';
import { Release } from './settle/release.js';
import { Settlement } from './settle/settlement.js';
import { Tracking } from './settle/tracking.js';
import { WorkerTimers } from './worker-timers.js';

/** Ended jobs that may wait for their commit before reading pauses, in batches. */
const UNSETTLED_FACTOR = 4;
/** What closing may take beyond the deadline for handlers. */
const CLOSING_MS = 2_000;

/**
 * The parts of a worker. A job passes from left to right, and each part knows only the parts to its right:
 *
 *   Reader, Leases → Intake → Admission → Runner, Release → Settlement → InFlight
 *
 * Free capacity, lost leases and cancellations travel back through the observers of InFlight.
 */
export class WorkerCore extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: WorkerSettings;
  readonly #inFlight: InFlight;
  readonly #counters: JobCounters;
  readonly #announcer: Announcer;
  readonly #timers: WorkerTimers;
  readonly #settlement: Settlement;
  readonly #release: Release;
  readonly #admission: Admission;
  readonly #leases: Leases;
  readonly #cancellations: Cancellations;
  readonly #reader: Reader;
  /** When the grace time of the handlers is over. */
  #graceEnd = Infinity;
  #endGrace: () => void = () => undefined;
  readonly #graceEnded = new Promise<void>((resolve) => {
    this.#endGrace = resolve;
  });

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: WorkerSettings,
    connectTimeoutMs: number,
    handler: Handler,
    owner: JobOwner,
    hooks: WorkerHooks,
  ) {
    super();
    const onError = (error: unknown): void => {
      hooks.error(toError(error));
    };
    settings.metrics = safeSink(settings.metrics, onError);
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#timers = new WorkerTimers(link, keys, settings, onError);
    this.#inFlight = new InFlight(keys.queue, onError);
    this.#counters = new JobCounters(() => settings.clock.monotonic());
    const tracking = new Tracking(settings);
    this.#announcer = new Announcer(link, keys, settings, tracking, settings.ackIdleMs, onError);
    this.#observe(hooks);
    this.#settlement = new Settlement(
      link,
      keys,
      settings,
      tracking,
      this.#inFlight,
      this.#timers.retryDue,
      onError,
    );
    this.#release = new Release(link, keys, settings, this.#inFlight, this.#settlement, onError);
    const runner = new Runner(settings, handler, owner, this.#inFlight, this.#settlement, onError);
    this.#admission = new Admission(this.#admissionSettings(onError), this.#inFlight, runner, this.#release);
    const intake = new Intake(this.#inFlight, this.#admission);
    this.#leases = new Leases(link, keys, settings, this.#inFlight, this.#admission, intake, onError);
    this.#cancellations = new Cancellations(link, keys, settings, this.#inFlight, onError);
    this.#reader = new Reader(link, keys, this.#readerSettings(connectTimeoutMs, intake, onError));
  }

  protected override readonly marginMs = 2 * CLOSING_MS;

  get health(): Omit<WorkerHealth, 'state' | 'disconnectedMs'> {
    const { concurrency, blockMs } = this.#settings;
    const reading = this.#reader.health;
    return {
      running: this.#admission.running,
      concurrency,
      blockMs,
      ...reading,
      fullMs: Math.max(reading.fullMs, this.#admission.fullMs),
      // Overrides the health of the reader: later reads can succeed although the recovery of stranded entries fails.
      ...this.#leases.trouble,
      ...this.#counters.health,
    };
  }

  protected async onStart(): Promise<void> {
    await this.#reader.start();
    await Promise.all([this.#leases.start(), this.#timers.start()]);
  }

  /**
   * The order of closing, and why:
   * 1. The reader: nothing new arrives.
   * 2. What was fetched and not started goes back at once, for others to run, with no attempt used.
   * 3. Running handlers get their grace time; leases are renewed and outcomes committed all the while.
   * 4. Handlers that outlive it are told by their signal, and their jobs go back too.
   * 5. The promoter, the heartbeat, the consumer's name in the group: last, because each still serves the steps above.
   */
  protected async onStop(deadlineMs: number): Promise<void> {
    const left = (): number => Math.max(0, this.#graceEnd - this.#settings.clock.monotonic());
    this.#graceEnd = this.#settings.clock.monotonic() + deadlineMs;
    this.#admission.stop();
    await this.#reader.stop(Math.min(CLOSING_MS, left() + 500));
    await settlesWithin(
      this.#release.release(this.#admission.takeQueued()),
      Math.min(CLOSING_MS, left() + 500),
    );
    await settlesWithin(Promise.race([this.#idle(), this.#graceEnded]), left());
    const outliving = [...this.#inFlight].filter(({ state }) => isUndecided(state));
    for (const delivery of outliving) {
      delivery.abort(new ShutdownError('The worker is closing and the grace time is over.'));
    }
    await settlesWithin(this.#release.release([...this.#admission.takeQueued(), ...outliving]), CLOSING_MS);
    await settlesWithin(this.#settlement.finish(), Math.max(left(), 500));
    this.#settlement.abandon();
    this.#announcer.stop();
    await Promise.all([this.#leases.stop(500), this.#timers.stop(500)]);
    const { group, consumerId } = this.#settings;
    const removal = { group, consumerId, idleMs: Number.MAX_SAFE_INTEGER };
    await settlesWithin(removeConsumers(this.#link, this.#keys, removal), 500);
  }

  /** `close(true)` after `close()`: the grace time ends earlier. */
  protected override onStopAgain(deadlineMs: number): void {
    const end = this.#settings.clock.monotonic() + deadlineMs;
    if (end >= this.#graceEnd) return;
    this.#graceEnd = end;
    new Timer(deadlineMs, this.#endGrace);
  }

  /** In the order in which each hears of a transition. */
  #observe(hooks: WorkerHooks): void {
    const { metrics } = this.#settings;
    this.#inFlight.observe(this.#announcer);
    this.#inFlight.observe(this.#counters);
    this.#inFlight.observe(new JobMetrics(metrics));
    this.#inFlight.observe(new JobEvents(this.#keys.queue, this.#settings, hooks));
  }

  #readerSettings(
    connectTimeoutMs: number,
    intake: Intake,
    onError: (error: unknown) => void,
  ): ReaderSettings {
    return {
      ...this.#settings,
      connectTimeoutMs,
      readsWork: true,
      wakeStreams: [...this.#timers.wakeStreams, this.#cancellations.stream],
      capacity: () => this.#admission.capacity(),
      deliver: (deliveries) => {
        intake.read(deliveries);
      },
      woken: this.#woken,
      nudge: this.#cancellations.nudge,
      onError,
    };
  }

  #admissionSettings(onError: (error: unknown) => void): AdmissionSettings {
    const { concurrency, batch, ackBatch, group, consumerId } = this.#settings;
    return {
      concurrency,
      batch,
      unsettled: () => this.#settlement.size,
      now: () => this.#settings.clock.monotonic(),
      mostUnsettled: Math.max(concurrency, ackBatch) * UNSETTLED_FACTOR,
      countStart: ({ entryId, crashes }: Delivery) =>
        countStart(this.#link, this.#keys, { group, consumerId, entryId, starts: crashes + 1 }),
      onError,
    };
  }

  readonly #woken = (stream: string, entry: StreamEntry): void => {
    if (stream === this.#cancellations.stream) this.#cancellations.heard(entry);
    else this.#timers.woken(stream, entry);
  };

  /** Resolves when no handler runs and every outcome is committed. */
  async #idle(): Promise<void> {
    await this.#admission.idle();
    await this.#settlement.finish();
  }
}
