import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { countStart } from '../../redis/scripts/count-start.js';
import { readClock } from '../../redis/scripts/read-clock.js';
import type { Policy } from '../../redis/scripts/read-policy.js';
import { removeConsumers } from '../../redis/scripts/remove-consumers.js';
import { Timer } from '../../redis/timer.js';
import { ShutdownError } from '../base/errors.js';
import { safeSink } from '../base/metrics.js';
import type { ObservedWorker } from '../base/telemetry.js';
import { Service } from '../base/service.js';
import { toError } from '../base/thrown.js';
import type { CommandLink } from '../connection/command-link.js';
import { readGauges } from '../connection/read-gauges.js';
import type { JobOwner } from '../job/job.js';
import { Admission } from './fetch/admission.js';
import type { AdmissionSettings } from './fetch/admission.js';
import { Gate } from './fetch/gate.js';
import { Intake } from './fetch/intake.js';
import { PolicyWatch } from './fetch/policy-watch.js';
import { Reader } from './fetch/reader.js';
import type { ReaderSettings } from './fetch/reader-settings.js';
import { JobCounters } from './health.js';
import type { WorkerHealth } from './health.js';
import type { WorkerHooks } from './hooks.js';
import { Cancellations } from './lease/cancellations.js';
import type { Delivery } from './lease/delivery.js';
import { InFlight } from './lease/in-flight.js';
import { LeaseTerm } from './lease/lease-term.js';
import { Leases } from './lease/leases.js';
import { isUndecided } from './lease/states.js';
import { WorkerWake } from './lease/worker-wake.js';
import type { MinuteCounts } from './minute-counts.js';
import { DeclaredLimits } from './declare-limits.js';
import { observeJobs } from './observe-jobs.js';
import { observeWorker, scoped } from './observe-worker.js';
import { Registration } from './registration.js';
import { RedisClock } from './run/redis-clock.js';
import { Runner } from './run/runner.js';
import type { Handler } from './run/runner.js';
import type { WorkerSettings } from './settings.js';
import { Announcer } from './settle/announcer.js';
import { Release } from './settle/release.js';
import { Settlement } from './settle/settlement.js';
import { Tracking } from './settle/tracking.js';
import { WorkerTimers } from './worker-timers.js';
import { unlessShutdown } from '../base/unless-shutdown.js';

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
  /** For errors of calls that nobody waits for. */
  readonly #quiet: (error: unknown) => void;
  readonly #keys: QueueKeys;
  readonly #settings: WorkerSettings;
  readonly #inFlight: InFlight;
  readonly #counters: JobCounters;
  readonly #minutes: MinuteCounts | undefined;
  readonly #announcer: Announcer;
  readonly #timers: WorkerTimers;
  readonly #settlement: Settlement;
  readonly #release: Release;
  readonly #declared: DeclaredLimits;
  readonly #policy: PolicyWatch;
  readonly #gate: Gate;
  /** A wake has told of a change of the policy, which was not read since. */
  #isPolicyNew = false;
  readonly #admission: Admission;
  readonly #leases: Leases;
  readonly #wake: WorkerWake;
  readonly #reader: Reader;
  readonly #registration: Registration;
  /** For callers of {@link pause} that wait: the worker has been resumed. */
  #endPause: () => void = () => undefined;
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
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    settings.metrics = safeSink(settings.metrics, onError);
    observeWorker(settings, keys, this.#observedSource(), onError);
    const quiet = unlessShutdown(onError);
    this.#quiet = quiet;
    this.#timers = new WorkerTimers(link, keys, settings, onError);
    this.#inFlight = new InFlight(keys.queue, onError);
    this.#counters = new JobCounters(() => settings.clock.monotonic());
    const tracking = new Tracking(settings);
    this.#announcer = new Announcer(link, keys, settings, tracking, settings.ackIdleMs, quiet);
    const observers = { announcer: this.#announcer, counters: this.#counters, hooks };
    this.#minutes = observeJobs(this.#inFlight, link, keys, settings, observers, onError);
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
    const clock = new RedisClock(settings.clock, () => readClock(link, keys));
    const runner = new Runner(
      settings,
      scoped(handler, settings),
      owner,
      this.#inFlight,
      this.#settlement,
      clock,
      onError,
    );
    this.#declared = new DeclaredLimits(link, keys, settings);
    this.#policy = new PolicyWatch(link, keys, settings.clock, this.#declared, this.#policyRead, quiet);
    const term = new LeaseTerm(settings.leaseMs, settings.clock);
    this.#gate = new Gate(this.#policy, term, { ...hooks, changed: this.#gateChanged });
    const admission = this.#admissionSettings(onError);
    this.#admission = new Admission(admission, this.#inFlight, runner, this.#release, this.#gate);
    const intake = new Intake(this.#inFlight, term, this.#admission);
    const leases = { ...settings, term };
    this.#leases = new Leases(link, keys, leases, this.#inFlight, this.#admission, intake, quiet);
    this.#wake = new WorkerWake(link, keys, settings, quiet);
    new Cancellations(link, keys, this.#wake, this.#inFlight, quiet);
    this.#wake.on('policy', this.#policyChanged);
    this.#reader = new Reader(link, keys, this.#readerSettings(connectTimeoutMs, intake, quiet));
    this.#registration = new Registration(link, keys, settings, () => this.health, onError);
  }

  protected override readonly marginMs = 2 * CLOSING_MS;

  get health(): Omit<WorkerHealth, 'state' | 'disconnectedMs'> {
    const { running, concurrency, fullMs } = this.#admission;
    const reading = this.#reader.health;
    const paused = this.#gate.state === 'paused';
    return {
      running,
      concurrency,
      paused,
      queuePaused: this.#gate.isPausedBy('queue'),
      blockMs: this.#settings.blockMs,
      ...reading,
      // A worker that is paused does not read, and is not full because of that.
      fullMs: paused ? fullMs : Math.max(reading.fullMs, fullMs),
      // Overrides the health of the reader: later reads can succeed although the recovery of stranded entries fails.
      ...this.#leases.trouble,
      ...this.#counters.health,
    };
  }

  /** Handlers running at once. */
  get concurrency(): number {
    return this.#admission.concurrency;
  }

  set concurrency(concurrency: number) {
    this.#admission.concurrency = concurrency;
    this.#registration.changed();
  }

  get isPaused(): boolean {
    return this.#gate.isPausedBy('worker');
  }

  /** Resolves when no handler runs, every outcome is committed, and what has not started is back; or the worker is resumed. */
  pause(): Promise<void> {
    this.#gate.pause('worker');
    const resumed = new Promise<void>((resolve) => {
      const before = this.#endPause;
      this.#endPause = () => {
        before();
        resolve();
      };
    });
    return Promise.race([this.#paused(), resumed]);
  }

  async #paused(): Promise<void> {
    await Promise.all([this.#admission.queuedReleased(), this.#admission.idle()]);
    await this.#settlement.idle();
  }

  resume(): void {
    this.#gate.resume('worker');
    this.#endPause();
    this.#endPause = () => undefined;
  }

  protected async onStart(): Promise<void> {
    await this.#declared.declare();
    await this.#reader.start();
    await Promise.all([this.#leases.start(), this.#timers.start(), this.#registration.start()]);
  }

  /**
   * The order of closing, and why:
   * 1. The reader: nothing new arrives.
   * 2. What was fetched and not started goes back at once, for others to run, with no attempt used; also what was delivered on a
   *    connection that is gone.
   * 3. Running handlers get their grace time; leases are renewed and outcomes committed all the while.
   * 4. Handlers that outlive it are told by their signal, and their jobs go back too.
   * 5. The promoter, the heartbeat, the report, the consumer's name in the group: last, because each still serves the steps
   *    above.
   */
  protected async onStop(deadlineMs: number): Promise<void> {
    const left = (): number => Math.max(0, this.#graceEnd - this.#settings.clock.monotonic());
    this.#graceEnd = this.#settings.clock.monotonic() + deadlineMs;
    this.#admission.stop();
    this.#policy.stop();
    await this.#reader.stop(Math.min(CLOSING_MS, left() + 500));
    await settlesWithin(this.#releaseFetched(), Math.min(CLOSING_MS, left() + 500));
    await settlesWithin(Promise.race([this.#idle(), this.#graceEnded]), left());
    const outliving = [...this.#inFlight].filter(({ state }) => isUndecided(state));
    for (const delivery of outliving) {
      delivery.abort(new ShutdownError('The worker is closing and the grace time is over.'));
    }
    await settlesWithin(this.#release.release([...this.#admission.takeQueued(), ...outliving]), CLOSING_MS);
    await settlesWithin(this.#settlement.finish(), Math.max(left(), 500));
    this.#settlement.abandon();
    this.#announcer.stop();
    const counted = settlesWithin(this.#minutes?.stop() ?? Promise.resolve(), 500);
    await Promise.all([
      this.#leases.stop(500),
      this.#timers.stop(500),
      this.#registration.stop(500),
      counted,
    ]);
    const { group, consumerId } = this.#settings;
    const removal = { group, consumerId, idleMs: Number.MAX_SAFE_INTEGER };
    await settlesWithin(removeConsumers(this.#link, this.#keys, removal), 500);
    this.#inFlight.abandonUnanswered();
    this.#settings.observed?.closed?.();
  }

  async #releaseFetched(): Promise<void> {
    // Without an answer, the leases of what is lost run out.
    await this.#leases.readingEnded().catch(() => undefined);
    await this.#release.release(this.#admission.takeQueued());
  }

  /** `close(true)` after `close()`: the grace time ends earlier. */
  protected override onStopAgain(deadlineMs: number): void {
    const end = this.#settings.clock.monotonic() + deadlineMs;
    if (end >= this.#graceEnd) return;
    this.#graceEnd = end;
    new Timer(deadlineMs, this.#endGrace);
  }

  #observedSource(): Pick<ObservedWorker, 'address' | 'gauges' | 'load'> {
    const link = this.#link;
    return {
      get address() {
        return link.address;
      },
      gauges: () => readGauges(link, this.#keys, this.#settings.group),
      load: () => this.#admission,
    };
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
      wakeStreams: [...this.#timers.wakeStreams, this.#wake.stream],
      capacity: () => this.#admission.capacity(),
      deliver: (deliveries, sentAt) => {
        intake.read(deliveries, sentAt);
      },
      woken: this.#woken,
      refresh: () => this.#policy.refresh(),
      nudge: this.#wake.nudge,
      isGated: () => this.#gate.isGated,
      startable: () => this.#admission.startable,
      waiting: (waiting, areAll) => {
        this.#admission.waiting(waiting, areAll);
      },
      gateOpened: this.#policyChanged,
      late: this.#leases.startsLate,
      onError,
    };
  }

  #admissionSettings(onError: (error: unknown) => void): AdmissionSettings {
    const { concurrency, batch, batches, batchesOf, ackBatch, group, consumerId } = this.#settings;
    return {
      concurrency,
      batch,
      ...(batches && { batches }),
      ...(batchesOf && { batchesOf }),
      ackBatch,
      unsettled: () => this.#settlement.size,
      now: () => this.#settings.clock.monotonic(),
      countStart: ({ entryId, crashes }: Delivery) =>
        countStart(this.#link, this.#keys, { group, consumerId, entryId, starts: crashes + 1 }),
      onError,
    };
  }

  readonly #woken = (stream: string, entry: StreamEntry): void => {
    if (stream === this.#wake.stream) this.#wake.heard(entry);
    else this.#timers.woken(stream, entry);
  };

  /** The policy was changed by this worker. Until it was read, nothing starts. */
  policyChanged(): void {
    if (this.isStarted && !this.isStopping) this.#policyChanged();
  }

  /** A wake entry says so. Until the policy was read, nothing starts, and no read of the work stream begins. */
  readonly #policyChanged = (): undefined => {
    this.#isPolicyNew = true;
    this.#gate.hold();
  };

  readonly #policyRead = ({ pausedSince, isGated, isLimited }: Policy): void => {
    if (isGated && !this.#gate.isGated) this.#wake.nudge().catch(this.#quiet);
    if (isLimited && !this.#gate.isGated) this.#admission.returnQueued();
    else if (isGated && this.#isPolicyNew) this.#admission.waiting('back');
    this.#isPolicyNew = false;
    this.#gate.isGated = isGated;
    this.#settlement.isGated = isGated;
    this.#timers.isGated = isGated;
    if (pausedSince === undefined) this.#gate.resume('queue');
    else this.#gate.pause('queue');
  };

  readonly #gateChanged = (): void => {
    if (this.isStopping) return;
    this.#admission.gateChanged();
    if (this.#gate.state === 'unsure' || !this.isStarted) return;
    this.#registration.changed();
    // The read that is under way must not bring jobs any more.
    if (this.#gate.state === 'paused') this.#wake.nudge().catch(this.#quiet);
  };

  /** Resolves when no handler runs and every outcome is committed. */
  async #idle(): Promise<void> {
    await this.#admission.idle();
    await this.#settlement.finish();
  }
}
