import { settlesWithin } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import { boundsOf } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { CommandLink } from '../connections.js';
import type { DueLoop } from '../due-loop.js';
import { withAttempt } from '../envelope.js';
import { LeaseLostError, LostEntryError, ShutdownError } from '../errors.js';
import type { Job, JobOwner } from '../job.js';
import { safeSink } from '../metrics.js';
import { createPromoter } from '../promoter.js';
import { createScheduler } from '../scheduler.js';
import { Service } from '../service.js';
import { Announcer } from './announcer.js';
import { toDelivery } from './delivery.js';
import type { Delivery } from './delivery.js';
import { Executor } from './executor.js';
import type { Handler, Prepared } from './executor.js';
import type { WorkerHealth } from './health.js';
import { Held } from './held.js';
import { Leases } from './leases.js';
import { detailOf } from './outcome.js';
import type { Outcome } from './outcome.js';
import { Reader } from './reader.js';
import type { ConsumerSettings } from './settings.js';
import { Settler } from './settler.js';
import type { Completed } from './settler.js';

/** What the core tells whoever embeds it. */
export interface ConsumerHooks {
  active: (job: Job) => void;
  completed: (job: Job) => void;
  /** After the retry, or the dead letter, is committed. */
  failed: (job: Job, error: unknown) => void;
  error: (error: Error) => void;
}

/** A job may be fetched ahead of a free handler when it is expected to wait no longer than this. */
const SOON_MS = 10;
/** At most so many batches are fetched ahead: larger ones save calls, which cost more than jobs when jobs are short. */
const AHEAD_FACTOR = 4;
/** Ended jobs that may wait for their commit before reading pauses, in multiples of the concurrency. */
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
  readonly #reader: Reader;
  readonly #leases: Leases;
  readonly #announcer: Announcer;
  readonly #loops: DueLoop[] = [];
  readonly #promoter: DueLoop | undefined;

  /** From delivery until settled, given back or lost. */
  readonly #held = new Held();
  /** Entries taken back after a lost reply, in case the reply arrives after all. */
  readonly #recovered = new Set<string>();
  #waiting: Delivery[] = [];
  /** Jobs whose workers have died more than once, or that have one attempt left after it: one of them at a time. */
  #suspects: Prepared[] = [];
  #suspectRuns = false;
  #pumping = false;
  #running = 0;
  #averageMs: number | undefined;
  #wantsCapacity: ((count: number) => void) | undefined;
  #offering = false;
  #wantsIdle: (() => void)[] = [];
  #leasesLost = 0;
  #leaseLostAt: number | undefined;

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
    this.#announcer = new Announcer(link, keys, settings.eventsCap, settings.ackIdleMs);
    this.#executor = new Executor(settings, handler, owner, {
      started: (delivery) => {
        this.#announcer.started(delivery);
        this.#hooks.active(delivery.job as Job);
      },
      completed: (completed) => {
        this.#onCompleted(completed);
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
      retryDue: (due) => {
        this.#promoter?.wake({ due });
      },
      dead: (delivery, outcome) => {
        this.#settled(delivery);
        const { attempt, name, job } = delivery;
        settings.metrics.dlqRouted?.({ reason: outcome.reason, attempt, name });
        if (job) {
          job.failedReason ??= outcome.detail;
          this.#hooks.failed(job, outcome.error);
        }
      },
      lost: (delivery) => {
        this.#lose([delivery.entryId]);
      },
      evicted: (count) => {
        settings.metrics.dlqEvicted?.({ count });
      },
      error: onError,
    });
    this.#leases = new Leases(link, keys, {
      group: settings.group,
      consumerId: settings.consumerId,
      leaseMs: settings.leaseMs,
      blockMs: settings.blockMs,
      clock: settings.clock,
      held: () => this.#held.ids(),
      room: () => this.#roomForReclaim(),
      lost: (entryIds) => {
        this.#lose(entryIds);
      },
      recovered: (entry, crashes) => {
        this.#recover(entry, crashes);
      },
      vanished: (entryIds) => {
        this.#reportVanished(entryIds);
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
        emptyMs: settings.delayedEmptyPollMs,
        batch: settings.delayedPromoteBatch,
        eventsCap: settings.eventsCap,
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
        lockTtlMs: lockTtlSecs * 1000,
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
      wakeStreams: [...wakes.keys()],
      clock: settings.clock,
      capacity: () => this.#capacity(),
      deliver: (entries) => {
        this.#deliver(entries);
      },
      woken: (stream, [id, fields]) => {
        wakes.get(stream)?.wake({ entryId: id.toString(), due: dueOf(fields) });
      },
      interrupted: () => {
        this.#leases.interrupted();
      },
      onError,
    });
  }

  protected override readonly marginMs = 2 * CLOSING_MS;

  /** Handlers running now. */
  get running(): number {
    return this.#running;
  }

  get health(): Omit<WorkerHealth, 'state'> {
    const { concurrency, blockMs, clock } = this.#settings;
    return {
      running: this.#running,
      concurrency,
      blockMs,
      ...this.#reader.health,
      leasesLost: this.#leasesLost,
      lastLeaseLostAgeMs: this.#leaseLostAt === undefined ? undefined : clock.monotonic() - this.#leaseLostAt,
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
    this.#wantsCapacity?.(0);
    await this.#reader.stop(Math.min(CLOSING_MS, left() + 500));
    const unstarted = [...this.#waiting, ...this.#suspects.map(({ delivery }) => delivery)];
    this.#waiting = [];
    this.#suspects = [];
    await settlesWithin(this.#release(unstarted), Math.min(CLOSING_MS, left() + 500));
    await settlesWithin(this.#idle(), left());
    const outliving = [...this.#held].filter((delivery) => delivery.running);
    for (const delivery of outliving) {
      delivery.lost = true;
      delivery.controller?.abort(new ShutdownError('The worker is closing and the grace time is over.'));
    }
    await settlesWithin(this.#release(outliving), CLOSING_MS);
    await settlesWithin(this.#settler.idle(), Math.max(left(), 500));
    this.#settler.abandon();
    this.#announcer.stop();
    await Promise.all([this.#leases.stop(500), ...this.#loops.map((loop) => loop.stop(500))]);
    const { group, consumerId } = this.#settings;
    const retired = this.#link.run('retire', this.#keys, [group, consumerId, Number.MAX_SAFE_INTEGER]);
    await settlesWithin(retired, 500);
  }

  /** The signal of a delivery's handler; made on demand, because most handlers never ask. */
  signalOf(delivery: Delivery): AbortSignal {
    delivery.controller ??= new AbortController();
    return delivery.controller.signal;
  }

  #busy(): number {
    return this.#running + this.#waiting.length + this.#suspects.length;
  }

  /** How many entries may be fetched now. */
  #room(): number {
    const { concurrency, batch } = this.#settings;
    if (this.#settler.size > Math.max(concurrency, this.#settings.ackBatch) * UNSETTLED_FACTOR) return 0;
    const most = Math.max(batch, concurrency);
    const soon =
      this.#averageMs === undefined ? 0 : (concurrency * SOON_MS) / Math.max(this.#averageMs, 0.01);
    const ahead = Math.floor(Math.min(soon, most * AHEAD_FACTOR));
    return Math.min(Math.max(most, ahead), concurrency + ahead - this.#busy());
  }

  /**
   * How many entries may be taken over now: however busy this worker is, or a backlog would keep the jobs of a worker
   * that died from running for as long as it lasts.
   */
  #roomForReclaim(): number {
    if (this.isStopping) return 0;
    const late = this.#suspects.length + this.#waiting.filter(({ crashes }) => crashes > 0).length;
    return Math.max(0, this.#settings.concurrency - late);
  }

  #capacity(): Promise<number> {
    if (this.isStopping) return Promise.resolve(0);
    const room = this.#room();
    if (room > 0) return Promise.resolve(room);
    return new Promise((resolve) => {
      this.#wantsCapacity = resolve;
    });
  }

  #deliver(entries: readonly StreamEntry[]): void {
    this.#settings.metrics.readerBatch?.({ size: entries.length, reclaimed: 0 });
    for (const entry of entries) {
      const delivery = toDelivery(entry, 0);
      // A reply that was taken for lost and arrives after all brings what was recovered, and perhaps run, meanwhile.
      if (this.#recovered.size > 0 && this.#recovered.has(delivery.entryId)) continue;
      this.#hold(delivery);
    }
    this.#pump();
  }

  #recover(entry: StreamEntry, crashes: number): void {
    const delivery = toDelivery(entry, crashes);
    if (crashes === 0) this.#recovered.add(delivery.entryId);
    if (this.#held.find(delivery.entryId)) return;
    if (this.#recovered.size > MAX_RECOVERED) this.#recovered.clear();
    this.#settings.metrics.readerBatch?.({ size: 1, reclaimed: 1 });
    this.#hold(delivery);
    this.#pump();
  }

  #hold(delivery: Delivery): void {
    this.#held.add(delivery);
    // What has been left by a worker that died is late already: it goes first.
    if (delivery.crashes > 0) this.#waiting.unshift(delivery);
    else this.#waiting.push(delivery);
  }

  /** Starts what can start. Not from within itself: a handler that returns at once frees its slot while this runs. */
  #pump(): void {
    // What arrives while closing goes back.
    if (this.#pumping || this.isStopping) return;
    this.#pumping = true;
    const { concurrency } = this.#settings;
    const waiting = this.#waiting;
    let next = 0;
    while (this.#running < concurrency) {
      const suspect = this.#suspectRuns ? undefined : this.#suspects.shift();
      if (suspect) {
        this.#suspectRuns = true;
        this.#startAgain(suspect, true);
        continue;
      }
      const delivery = waiting[next++];
      if (!delivery) break;
      if (!delivery.lost) this.#begin(delivery);
    }
    waiting.splice(0, next);
    this.#pumping = false;
    this.#offerCapacity();
  }

  #begin(delivery: Delivery): void {
    const prepared = this.#executor.prepare(delivery);
    if (!prepared) return;
    if (delivery.crashes === 0) {
      this.#running += 1;
      this.#executor.run(prepared);
    } else if (delivery.crashes > 1 || delivery.attempt >= prepared.maxAttempts) {
      this.#suspects.push(prepared);
    } else {
      this.#startAgain(prepared, false);
    }
  }

  /** Starts a job whose worker has died: its start is counted before its handler is called. */
  #startAgain(prepared: Prepared, suspect: boolean): void {
    const { delivery } = prepared;
    const { group, consumerId } = this.#settings;
    this.#running += 1;
    const args = [group, consumerId, delivery.entryId, delivery.crashes + 1];
    this.#link.run('start', this.#keys, args).then(
      (ours) => {
        if (ours === 1 && !delivery.lost && !this.isStopping) {
          if (suspect) delivery.suspect = true;
          this.#executor.run(prepared);
          return;
        }
        if (ours !== 1) this.#lose([delivery.entryId]);
        else
          this.#release([delivery]).catch((error: unknown) => {
            this.#report(error);
          });
        this.#freeSlot(suspect);
      },
      (error: unknown) => {
        // Its lease runs on: it stays held, and is tried again.
        this.#report(error);
        if (!delivery.lost && !this.isStopping) this.#waiting.push(delivery);
        setTimeout(() => {
          this.#freeSlot(suspect);
        }, 250);
      },
    );
  }

  #freeSlot(suspect: boolean): void {
    this.#running -= 1;
    if (suspect) this.#suspectRuns = false;
    this.#pump();
    if (this.#running === 0) this.#wakeIdle();
  }

  #onCompleted(completed: Completed): void {
    const { delivery } = completed;
    this.#afterRun(delivery, 'ok');
    if (!delivery.lost) this.#settler.complete(completed);
    this.#freeSlot(delivery.suspect);
  }

  #onFailed(delivery: Delivery, outcome: Outcome, ran: boolean): void {
    if (ran) {
      this.#afterRun(delivery, 'err');
      if (delivery.job)
        delivery.job.failedReason = outcome.kind === 'dead' ? outcome.detail : detailOf(outcome.error);
    }
    if (!delivery.lost) {
      if (outcome.kind === 'retry') this.#settler.retry(delivery, outcome);
      else this.#settler.bury(delivery, outcome, ran);
    }
    if (ran) this.#freeSlot(delivery.suspect);
  }

  #afterRun(delivery: Delivery, kind: 'ok' | 'err'): void {
    const { attempt, name, durationUs, job } = delivery;
    const ms = durationUs / 1000;
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + (ms - this.#averageMs) * 0.05;
    if (job) job.finishedOn = this.#settings.clock.now();
    this.#settings.metrics.jobOutcome?.({ kind, attempt, handlerDurationUs: durationUs, name });
  }

  /** Tells a reader that waits. At the end of the tick: handlers that end together make room for one larger read. */
  #offerCapacity(): void {
    if (!this.#wantsCapacity || this.#offering) return;
    this.#offering = true;
    process.nextTick(() => {
      this.#offering = false;
      const room = this.isStopping ? 0 : this.#room();
      if (room <= 0 && !this.isStopping) return;
      this.#wantsCapacity?.(room);
      this.#wantsCapacity = undefined;
    });
  }

  #settled(delivery: Delivery): void {
    this.#held.remove(delivery);
    this.#offerCapacity();
  }

  #lose(entryIds: readonly string[]): void {
    let lost = 0;
    for (const entryId of entryIds) {
      const delivery = this.#held.find(entryId);
      if (!delivery || delivery.lost) continue;
      lost += 1;
      delivery.lost = true;
      this.#held.remove(delivery);
      const error = new LeaseLostError(
        `The lease on job ${delivery.jobId || entryId} of queue "${this.#keys.queue}" was lost: this worker was stopped or cut off for longer than ${String(this.#settings.leaseMs)} ms, and another has taken the job over. What its handler does here no longer counts.`,
      );
      delivery.controller?.abort(error);
      this.#report(error);
    }
    if (lost === 0) return;
    this.#leasesLost += lost;
    this.#leaseLostAt = this.#settings.clock.monotonic();
    this.#settings.metrics.leaseLost?.({ count: lost });
  }

  #reportVanished(entryIds: readonly string[]): void {
    const shown = entryIds.slice(0, 5).join(', ');
    this.#report(
      new LostEntryError(
        `${String(entryIds.length)} job(s) of queue "${this.#keys.queue}" were taken by a worker and are gone from the stream (entries ${shown}): something trims or deletes ${this.#keys.stream}.`,
      ),
    );
  }

  /** Gives jobs back to the stream, with their crashes counted as attempts. */
  async #release(deliveries: readonly Delivery[]): Promise<void> {
    const ours = deliveries.filter(({ isHeld }) => isHeld);
    // Held until Redis has taken them back: the heartbeat would find them pending here, take them for stranded, and run
    // them. Whatever becomes of their leases now concerns nobody.
    for (const delivery of ours) delivery.lost = true;
    const { group, consumerId } = this.#settings;
    try {
      for (let from = 0; from < ours.length; from += 500) {
        const batch = ours.slice(from, from + 500);
        const [first, last] = boundsOf(batch.map(({ entryId }) => entryId));
        const args: (string | Buffer)[] = [group, consumerId, first, last];
        for (const delivery of batch) args.push(delivery.entryId, bytesToReturn(delivery));
        await this.#link.run('release', this.#keys, args);
      }
    } finally {
      for (const delivery of ours) this.#held.remove(delivery);
    }
  }

  /** Resolves when no handler runs and every outcome is committed. */
  async #idle(): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#wantsIdle.push(resolve);
      });
    }
    await this.#settler.idle();
  }

  #wakeIdle(): void {
    const waiting = this.#wantsIdle;
    this.#wantsIdle = [];
    for (const resolve of waiting) resolve();
  }

  #report(error: unknown): void {
    this.#hooks.error(error instanceof Error ? error : new Error(String(error)));
  }
}

function bytesToReturn({ bytes, crashes, used }: Delivery): Buffer | string {
  if (crashes === 0 || !bytes) return '';
  try {
    return withAttempt(bytes, used + crashes);
  } catch {
    // Not a Job: it goes back as it is, and whoever reads it dead-letters it.
    return '';
  }
}

function dueOf(fields: readonly Buffer[]): number | undefined {
  const at = fields.findIndex((field) => field.toString() === 'due');
  const due = Number(fields[at + 1]);
  return at >= 0 && Number.isFinite(due) ? due : undefined;
}
