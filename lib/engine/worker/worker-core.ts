import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import { countStart } from '../../redis/scripts/count-start.js';
import { removeConsumers } from '../../redis/scripts/remove-consumers.js';
import type { CommandLink } from '../connection/command-link.js';
import { dueOf } from '../timers/due-loop.js';
import type { DueLoop } from '../timers/due-loop.js';
import { LeaseLostError, LostEntryError, ShutdownError } from '../base/errors.js';
import type { Job, JobOwner } from '../job/job.js';
import { safeSink } from '../base/metrics.js';
import { createPromoter } from '../timers/promoter.js';
import { createScheduler } from '../timers/scheduler.js';
import { Service } from '../base/service.js';
import { writeProperty } from '../base/safe-access.js';
import { toError } from '../base/thrown.js';
import { Announcer } from './settle/announcer.js';
import { Cancellations } from './lease/cancellations.js';
import { numberPlaces, toDelivery } from './lease/delivery.js';
import type { Delivery } from './lease/delivery.js';
import { Dispatcher } from './fetch/dispatcher.js';
import { Executor } from './run/executor.js';
import type { Handler } from './run/executor.js';
import type { WorkerHealth } from './health.js';
import type { ConsumerHooks, DeadLettered } from './hooks.js';
import { GiveBack } from './settle/release.js';
import { Held } from './lease/in-flight.js';
import { Leases } from './lease/leases.js';
import { CANCELLED } from './settle/outcome.js';
import type { Outcome } from './settle/outcome.js';
import { Reader } from './fetch/reader.js';
import { toMs } from './settings.js';
import type { ConsumerSettings } from './settings.js';
import { Settler } from './settle/settler.js';

/** Ended jobs that may wait for their commit before reading pauses, in batches. */
const UNSETTLED_FACTOR = 4;
/** Ids of recovered entries that are remembered; a late reply comes soon or never. */
const MAX_RECOVERED = 10_000;
/** What closing may take beyond the deadline for handlers. */
const CLOSING_MS = 2_000;

/** The consuming side of one queue: reader → executor → settler, with leases over all of it. */
export class ConsumerCore extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: ConsumerSettings;
  readonly #hooks: ConsumerHooks;
  readonly #executor: Executor;
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly #reader: Reader;
  readonly #leases: Leases;
  readonly #announcer: Announcer;
  readonly #cancellations: Cancellations;
  readonly #giveBack: GiveBack;
  readonly #loops: DueLoop[] = [];
  readonly #promoter: DueLoop | undefined;

  /** From delivery until settled, given back or lost. */
  readonly #held = new Held();
  /** Entries taken back after a lost reply, in case the reply arrives after all. */
  readonly #recovered = new Set<string>();
  /** For what the next read brings. */
  #nextPlace = 0;
  /** The last entry of the last read. */
  #lastRead = '0-0';
  #leasesLost = 0;
  #leaseLostAt: number | undefined;
  #dlqEvicted = 0;
  #dlqEvictedAt: number | undefined;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: ConsumerSettings,
    connectTimeoutMs: number,
    handler: Handler,
    owner: JobOwner,
    hooks: ConsumerHooks,
  ) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#hooks = hooks;
    const onError = (error: unknown): void => {
      this.#report(error);
    };
    settings.metrics = safeSink(settings.metrics, onError);
    this.#announcer = new Announcer(link, keys, settings, settings.ackIdleMs, onError);
    this.#executor = new Executor(settings, handler, owner, {
      started: (delivery) => {
        this.#announcer.started(delivery);
        this.#hooks.active(delivery.job as Job);
      },
      completed: (delivery) => {
        this.#onCompleted(delivery);
      },
      failed: (delivery, outcome, ran) => {
        this.#onFailed(delivery, outcome, ran);
      },
      error: onError,
    });
    this.#settler = new Settler(link, keys, settings, {
      completed: (delivery) => {
        this.#settled(delivery);
        this.#hooks.completed(delivery.job as Job);
      },
      retried: (delivery, outcome) => {
        this.#settled(delivery);
        const { attempt, name } = delivery;
        settings.metrics.retryScheduled?.({ attempt: attempt + 1, backoffMs: outcome.backoffMs, name });
        this.#hooks.failed(delivery.job as Job, outcome.error);
      },
      released: (delivery) => {
        this.#settled(delivery);
      },
      retryDue: (due) => {
        this.#promoter?.wake({ due });
      },
      dead: (delivery, outcome, ran) => {
        this.#settled(delivery);
        const { attempt, name, job } = delivery;
        settings.metrics.dlqRouted?.({ reason: outcome.reason, attempt, name });
        if (job) {
          writeProperty(job, 'deadLetterReason', outcome.reason);
          if (outcome.stack !== undefined) writeProperty(job, 'stacktrace', [outcome.stack]);
          this.#hooks.failed(job, outcome.error);
        }
        this.#hooks.deadLettered(deadLetteredOf(delivery, outcome, ran));
      },
      cancelled: (delivery) => {
        this.#held.remove(delivery);
        this.#dispatcher.offerCapacity();
        if (delivery.job) this.#hooks.failed(delivery.job, delivery.cancelled);
      },
      cancelledInstead: (delivery, ran) => {
        this.#endCancelled(delivery, ran);
      },
      lost: (delivery) => {
        this.#lose([delivery]);
      },
      refused: (delivery, error) => {
        delivery.lost = true;
        this.#held.remove(delivery);
        this.#dispatcher.offerCapacity();
        this.#report(error);
      },
      evicted: (count) => {
        this.#dlqEvicted += count;
        this.#dlqEvictedAt = settings.clock.monotonic();
        settings.metrics.dlqEvicted?.({ count });
        this.#hooks.dlqEvicted({ count, cap: settings.dlqMaxStreamLen });
      },
      inFlight: () => this.#held.size,
      error: onError,
    });
    this.#dispatcher = new Dispatcher({
      concurrency: settings.concurrency,
      batch: settings.batch,
      unsettled: () => this.#settler.size,
      mostUnsettled: Math.max(settings.concurrency, settings.ackBatch) * UNSETTLED_FACTOR,
      prepare: (delivery) => this.#executor.prepare(delivery),
      run: (delivery) => {
        this.#executor.run(delivery);
      },
      countStart: (delivery) => this.#countStart(delivery),
      giveBack: (deliveries) => this.#giveBack.offer(deliveries),
      handOver: (deliveries) => this.#handOver(deliveries),
      giveUp: (delivery) => {
        this.#giveBack.release([delivery]).catch(onError);
      },
      onError,
    });
    this.#giveBack = new GiveBack(link, keys, {
      group: settings.group,
      consumerId: settings.consumerId,
      blockMs: settings.blockMs,
      held: this.#held,
      cancelled: (delivery) => {
        this.#cancellations.mark(delivery);
        if (delivery.running) this.#endCancelled(delivery, true);
        else {
          delivery.lost = false;
          this.#executor.prepare(delivery);
        }
      },
      onError,
    });
    this.#leases = new Leases(link, keys, {
      group: settings.group,
      consumerId: settings.consumerId,
      leaseMs: settings.leaseMs,
      blockMs: settings.blockMs,
      clock: settings.clock,
      inFlight: this.#held,
      reserve: (most, whenFree) => this.#dispatcher.reserve(most, whenFree),
      unreserve: (room) => {
        this.#dispatcher.unreserve(room);
      },
      lost: (entryIds) => {
        // The call that ends a job tells of it itself: its reply may be on its way, or be asked for again.
        const found = entryIds.map((entryId) => this.#held.find(entryId));
        this.#lose(found.flatMap((delivery) => (!delivery || delivery.settling ? [] : [delivery])));
      },
      recovered: (entry, crashes, cancelled) => {
        this.#recover(entry, crashes, cancelled);
      },
      vanished: (entryIds) => {
        this.#reportVanished(entryIds);
      },
      onError,
    });
    this.#cancellations = new Cancellations(link, keys, {
      group: settings.group,
      consumerId: settings.consumerId,
      find: (entryId) => this.#held.find(entryId),
      cancelled: (delivery) => {
        // Opened for its id, and found to be cancelled.
        if (this.#dispatcher.takeOut(delivery)) this.#executor.prepare(delivery);
      },
      onError,
    });
    if (settings.delayedEnabled) {
      this.#promoter = createPromoter({
        link,
        keys,
        group: settings.group,
        lockTtlMs: settings.delayedLockTtlMs,
        idleMs: settings.delayedPollIntervalMs,
        clock: settings.clock,
        batch: settings.delayedPromoteBatch,
        eventsCap: settings.eventsCap,
        eventsBatchFrom: settings.eventsBatchFrom,
        metrics: settings.metrics,
        onError,
      });
      this.#loops.push(this.#promoter);
    }
    const wakes = new Map<string, DueLoop>();
    if (this.#promoter) wakes.set(keys.promoterWake, this.#promoter);
    if (settings.runScheduler) {
      const { tickIntervalMs = 1_000, batch = 256, lockTtlSecs = 5, holderId } = settings.scheduler;
      const scheduler = createScheduler({
        link,
        keys,
        group: settings.group,
        holderId,
        lockTtlMs: toMs(lockTtlSecs),
        tickIntervalMs,
        batch,
        eventsCap: settings.eventsCap,
        metrics: settings.metrics,
        onError,
      });
      this.#loops.push(scheduler);
      wakes.set(keys.schedulerWake, scheduler);
    }
    this.#reader = new Reader(link, keys, {
      group: settings.group,
      consumerId: settings.consumerId,
      blockMs: settings.blockMs,
      connectTimeoutMs,
      readsWork: true,
      wakeStreams: [...wakes.keys(), this.#cancellations.stream],
      clock: settings.clock,
      capacity: () => this.#dispatcher.capacity(),
      deliver: (deliveries) => {
        this.#deliver(deliveries);
      },
      woken: (stream, entry) => {
        const [id, fields] = entry;
        if (stream === this.#cancellations.stream) this.#cancellations.heard(entry);
        else wakes.get(stream)?.wake({ entryId: id.toString(), due: dueOf(fields) });
      },
      nudge: this.#cancellations.nudge,
      onError,
    });
  }

  protected override readonly marginMs = 2 * CLOSING_MS;

  /** Handlers running now. */
  get running(): number {
    return this.#dispatcher.running;
  }

  get health(): Omit<WorkerHealth, 'state' | 'disconnectedMs'> {
    const { concurrency, blockMs, clock } = this.#settings;
    return {
      running: this.running,
      concurrency,
      blockMs,
      ...this.#reader.health,
      // What was delivered and never arrived is no less missing because later reads succeed.
      ...this.#leases.trouble,
      leasesLost: this.#leasesLost,
      lastLeaseLostAgeMs: this.#leaseLostAt === undefined ? undefined : clock.monotonic() - this.#leaseLostAt,
      dlqEvicted: this.#dlqEvicted,
      lastDlqEvictedAgeMs:
        this.#dlqEvictedAt === undefined ? undefined : clock.monotonic() - this.#dlqEvictedAt,
    };
  }

  protected async onStart(): Promise<void> {
    await this.#reader.start();
    await Promise.all([this.#leases.start(), ...this.#loops.map((loop) => loop.start())]);
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
    const end = this.#settings.clock.monotonic() + deadlineMs;
    const left = (): number => Math.max(0, end - this.#settings.clock.monotonic());
    this.#dispatcher.stop();
    await this.#reader.stop(Math.min(CLOSING_MS, left() + 500));
    await settlesWithin(
      this.#giveBack.release(this.#dispatcher.takeUnstarted()),
      Math.min(CLOSING_MS, left() + 500),
    );
    await settlesWithin(this.#idle(), left());
    const outliving = [...this.#held].filter((delivery) => delivery.running);
    for (const delivery of outliving) {
      delivery.lost = true;
      delivery.abort(new ShutdownError('The worker is closing and the grace time is over.'));
    }
    await settlesWithin(
      this.#giveBack.release([...this.#dispatcher.takeUnstarted(), ...outliving]),
      CLOSING_MS,
    );
    await settlesWithin(this.#settler.idle(), Math.max(left(), 500));
    this.#settler.abandon();
    this.#announcer.stop();
    await Promise.all([this.#leases.stop(500), ...this.#loops.map((loop) => loop.stop(500))]);
    const { group, consumerId } = this.#settings;
    const removal = { group, consumerId, idleMs: Number.MAX_SAFE_INTEGER };
    await settlesWithin(removeConsumers(this.#link, this.#keys, removal), 500);
  }

  /** The signal of a delivery's handler; made on demand, because most handlers never ask. */
  signalOf(delivery: Delivery): AbortSignal {
    if (delivery.stop) return delivery.stop.signal;
    const signal = delivery.makeSignal();
    if (delivery.lost) delivery.abort(this.#leaseLost(delivery));
    else if (delivery.cancelled) delivery.abort(delivery.cancelled);
    return signal;
  }

  #deliver(deliveries: readonly Delivery[]): void {
    this.#settings.metrics.readerBatch?.({ size: deliveries.length, reclaimed: 0 });
    this.#nextPlace = numberPlaces(deliveries, this.#nextPlace);
    let fresh = deliveries;
    // A reply that was taken for lost and arrives after all brings what was recovered, and perhaps run, meanwhile.
    if (this.#recovered.size > 0) fresh = fresh.filter(({ entryId }) => !this.#recovered.has(entryId));
    if (this.#isRepeated(deliveries)) fresh = this.#withoutInFlight(fresh);
    this.#held.wasRead(deliveries);
    for (const delivery of fresh) this.#held.add(delivery);
    this.#dispatcher.take(fresh);
  }

  /** Whether a read brings entries that were read before, as after a failover that has lost deliveries. */
  #isRepeated(read: readonly Delivery[]): boolean {
    const first = read[0]?.entryId;
    const last = read.at(-1)?.entryId;
    if (first === undefined || last === undefined) return false;
    const repeated = compareStreamIds(first, this.#lastRead) <= 0;
    this.#lastRead = last;
    return repeated;
  }

  /**
   * Those that are in flight here are pending for this worker again, and go on as they are; unless their commit came to
   * Redis before they were.
   */
  #withoutInFlight(read: readonly Delivery[]): Delivery[] {
    const inFlight = new Map([...this.#held].map((delivery) => [delivery.entryId, delivery]));
    return read.filter((delivery) => {
      const first = inFlight.get(delivery.entryId);
      if (first) first.again = delivery;
      return !first;
    });
  }

  #recover(entry: StreamEntry, crashes: number, cancelled: boolean): void {
    const delivery = toDelivery(entry, crashes);
    if (cancelled) this.#cancellations.mark(delivery);
    if (crashes === 0) this.#recovered.add(delivery.entryId);
    if (this.#recovered.size > MAX_RECOVERED) {
      const [oldest] = this.#recovered;
      this.#recovered.delete(oldest as string);
    }
    if (this.#held.find(delivery.entryId)) return;
    this.#settings.metrics.readerBatch?.({ size: 1, reclaimed: 1 });
    this.#held.addReclaimed(delivery);
    this.#dispatcher.take([delivery]);
  }

  async #handOver(deliveries: readonly Delivery[]): Promise<boolean> {
    const ours = deliveries.filter(({ isHeld }) => isHeld);
    // The heartbeat does not find them pending here any more, which is no alarm.
    for (const delivery of ours) delivery.lost = true;
    let isTaken = false;
    try {
      isTaken = await this.#leases.handOver(ours);
    } finally {
      for (const delivery of ours) {
        if (isTaken) this.#held.remove(delivery);
        // Where nobody knows, the start is counted in Redis, and finds out.
        else delivery.lost = false;
      }
    }
    return isTaken;
  }

  async #countStart(delivery: Delivery): Promise<boolean> {
    const { group, consumerId } = this.#settings;
    const start = { group, consumerId, entryId: delivery.entryId, starts: delivery.crashes + 1 };
    const ours = await countStart(this.#link, this.#keys, start);
    if (!ours) this.#lose([delivery]);
    return ours;
  }

  #onCompleted(delivery: Delivery): void {
    this.#afterRun(delivery, 'ok');
    if (!delivery.lost) this.#settler.complete(delivery);
    this.#dispatcher.ended(delivery, delivery.durationUs / 1000);
  }

  #onFailed(delivery: Delivery, outcome: Outcome, ran: boolean): void {
    if (outcome.kind === 'released') {
      if (!delivery.lost) this.#settler.postpone(delivery, outcome);
      return;
    }
    if (ran) this.#afterRun(delivery, 'err');
    if (delivery.job && outcome.kind !== 'cancelled')
      writeProperty(delivery.job, 'failedReason', outcome.detail);
    if (!delivery.lost) {
      if (outcome.kind === 'retry') this.#settler.retry(delivery, outcome);
      else if (outcome.kind === 'cancelled') this.#endCancelled(delivery, ran);
      else this.#settler.bury(delivery, outcome, ran);
    }
    if (ran) this.#dispatcher.ended(delivery, delivery.durationUs / 1000);
  }

  #afterRun(delivery: Delivery, kind: 'ok' | 'err'): void {
    const { attempt, name, durationUs, job } = delivery;
    if (job) writeProperty(job, 'finishedOn', this.#settings.clock.now());
    this.#settings.metrics.jobOutcome?.({ kind, attempt, handlerDurationUs: durationUs, name });
  }

  #endCancelled(delivery: Delivery, ran: boolean): void {
    this.#cancellations.mark(delivery);
    if (delivery.job) writeProperty(delivery.job, 'failedReason', CANCELLED);
    this.#settler.endCancelled(delivery, ran);
  }

  #settled(delivery: Delivery): void {
    if (delivery.cancelled) this.#cancellations.forget(delivery);
    this.#held.remove(delivery);
    this.#dispatcher.offerCapacity();
  }

  #lose(deliveries: readonly Delivery[]): void {
    let lost = 0;
    const again: Delivery[] = [];
    for (const delivery of deliveries) {
      if (delivery.lost || !this.#held.remove(delivery)) continue;
      lost += 1;
      delivery.lost = true;
      const error = this.#leaseLost(delivery);
      delivery.abort(error);
      this.#report(error);
      if (delivery.again) again.push(delivery.again);
    }
    if (again.length > 0) {
      for (const delivery of again) this.#held.add(delivery);
      this.#dispatcher.take(again);
    }
    if (lost === 0) return;
    this.#leasesLost += lost;
    this.#leaseLostAt = this.#settings.clock.monotonic();
    this.#settings.metrics.leaseLost?.({ count: lost });
  }

  #leaseLost({ jobId, entryId }: Delivery): LeaseLostError {
    return new LeaseLostError(
      `The lease on job ${jobId || entryId} of queue "${this.#keys.queue}" was lost: this worker was stopped or cut off for longer than ${String(this.#settings.leaseMs)} ms and another has taken the job over, or Redis has lost its record of the lease (a failover, a deleted group). What its handler does here no longer counts.`,
    );
  }

  #reportVanished(entryIds: readonly string[]): void {
    const shown = entryIds.slice(0, 5).join(', ');
    this.#report(
      new LostEntryError(
        `${String(entryIds.length)} job(s) of queue "${this.#keys.queue}" were taken by a worker and are gone from the stream (entries ${shown}): something trims or deletes ${this.#keys.stream}.`,
      ),
    );
  }

  /** Resolves when no handler runs and every outcome is committed. */
  async #idle(): Promise<void> {
    await this.#dispatcher.idle();
    await this.#settler.idle();
  }

  #report(error: unknown): void {
    this.#hooks.error(toError(error));
  }
}

function deadLetteredOf(
  { entryId, jobId, name, attempt, job }: Delivery,
  { reason, detail }: Extract<Outcome, { kind: 'dead' }>,
  ran: boolean,
): DeadLettered {
  const letter: DeadLettered = { entryId, reason, detail };
  if (jobId !== '') letter.jobId = jobId;
  if (name !== '') letter.name = name;
  if (job) {
    letter.attempts = ran ? attempt : attempt - 1;
    letter.job = job;
  }
  return letter;
}
