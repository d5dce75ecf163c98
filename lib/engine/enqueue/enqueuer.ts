import { Timer } from '../../redis/timer.js';
import type { QueueKeys } from '../../redis/keys.js';
import { ConnectionError } from '../base/errors.js';
import type { Guarded, ProducerTelemetry } from '../base/telemetry.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { DurabilityOptions } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { AddCall, whyUnconfirmed } from './add-call.js';
import { settleGroups } from './answers.js';
import { NO_DUPLICATES, fitsOneCall, groupsOfNextCall, payloadBytes, refuse } from './group.js';
import type { Duplicates, Group } from './group.js';
import { addInSlices } from './large-add.js';
import type { NewJob } from './new-job.js';

export interface EnqueuerSettings extends EventsSettings {
  maxStreamLen: number;
  durability?: DurabilityOptions | undefined;
  /** Hears of the end of each group. */
  sent?: Guarded<ProducerTelemetry>['sent'] | undefined;
}

/** Payload bytes of all calls in flight. Each of those calls has to be answered before its deadline. */
const MAX_BYTES_IN_FLIGHT = 32 * 1024 * 1024;
/**
 * A quarter of what the server remembers (see the call-dedup ring in lua/lib). A call whose deadline is over counts for
 * as long as it may still reach the server.
 */
const MAX_CALLS_IN_FLIGHT = 256;
/** When this many jobs wait, a call leaves before the tick ends: the server adds them while the rest is encoded. */
const EARLY_JOBS = 128;

/**
 * The way into a queue. Groups of jobs that are added in one tick share a round trip, and each group is accepted or
 * refused whole. A lone add is not delayed: its call leaves at the end of the tick in which it was made.
 */
export class Enqueuer {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: EnqueuerSettings;
  readonly #call: AddCall;
  #pending: Group[] = [];
  #pendingJobs = 0;
  #flushPlanned = false;
  /** Calls that may still reach the server. */
  #callsInFlight = 0;
  #bytesInFlight = 0;
  /** Calls whose groups are not settled yet. */
  #unsettledCalls = 0;
  /** Adds in several slices. */
  #largeAdds = 0;
  /** Monotonic ms of the last answer. */
  #answeredAt = 0;
  #deadline: Timer | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(link: CommandLink, keys: QueueKeys, settings: EnqueuerSettings) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#call = new AddCall(link, keys, settings);
  }

  get producerId(): string {
    return this.#call.producerId;
  }

  /**
   * Adds the jobs as one group. Resolves with the duplicates: their id was taken, so they were not added.
   * @throws QueueFullError (CMQ-006), ConnectionError (CMQ-001)
   */
  enqueue(jobs: readonly NewJob[]): Promise<Duplicates> {
    if (jobs.length === 0) return Promise.resolve(NO_DUPLICATES);
    const bytes = payloadBytes(jobs);
    if (fitsOneCall(jobs, bytes)) return this.#collect(jobs, bytes, this.#settings.maxStreamLen);
    this.#largeAdds += 1;
    return addInSlices(jobs, this.#settings.maxStreamLen, this.#collect).finally(() => {
      this.#largeAdds -= 1;
      this.#notifyIdle();
    });
  }

  /** Resolves when every add has been answered. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  get #isIdle(): boolean {
    return this.#unsettledCalls === 0 && this.#pending.length === 0 && this.#largeAdds === 0;
  }

  #notifyIdle(): void {
    if (this.#whenIdle.length === 0 || !this.#isIdle) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Keeps the group for a call at the end of the tick. */
  readonly #collect = (jobs: readonly NewJob[], bytes: number, maxStreamLen: number): Promise<Duplicates> => {
    return new Promise((resolve, reject) => {
      const { maxStreamLen: capacity, sent } = this.#settings;
      const queuedAt = performance.now();
      this.#pending.push({ jobs, bytes, queuedAt, maxStreamLen, capacity, sent, resolve, reject });
      this.#pendingJobs += jobs.length;
      if (this.#pendingJobs >= EARLY_JOBS) this.#send();
      if (this.#flushPlanned || this.#pending.length === 0) return;
      this.#flushPlanned = true;
      // This runs after the current microtasks, so all adds of the tick have been collected by then.
      process.nextTick(this.#flush);
    });
  };

  readonly #flush = (): void => {
    this.#flushPlanned = false;
    this.#send();
  };

  /** Sends calls until nothing is pending, or the bounds of what may be in flight are reached. */
  #send(): void {
    while (
      this.#pending.length > 0 &&
      this.#callsInFlight < MAX_CALLS_IN_FLIGHT &&
      this.#bytesInFlight < MAX_BYTES_IN_FLIGHT
    ) {
      const { count, jobs } = groupsOfNextCall(this.#pending);
      this.#pendingJobs -= jobs;
      void this.#sendCall(this.#pending.splice(0, count));
    }
    this.#planDeadline();
  }

  /** Never rejects. */
  async #sendCall(groups: readonly Group[]): Promise<void> {
    let bytes = 0;
    for (const group of groups) bytes += group.bytes;
    this.#callsInFlight += 1;
    this.#unsettledCalls += 1;
    this.#bytesInFlight += bytes;
    try {
      const reply = await this.#call.send(groups, () => {
        this.#callsInFlight -= 1;
        this.#bytesInFlight -= bytes;
        this.#answeredAt = performance.now();
        this.#send();
      });
      const { durability } = this.#settings;
      const unconfirmed = durability && (await whyUnconfirmed(this.#link, durability));
      settleGroups(groups, reply, this.#keys.queue, unconfirmed);
    } catch (error) {
      for (const group of groups) refuse(group, error);
    }
    this.#unsettledCalls -= 1;
    this.#notifyIdle();
  }

  /** Pending groups have a deadline too: it ends them when Redis has answered no call for that time. */
  #planDeadline(): void {
    const { commandTimeoutMs } = this.#link;
    if (this.#deadline || this.#pending.length === 0 || !(commandTimeoutMs > 0)) return;
    const since = Math.max(this.#pending[0]?.queuedAt ?? 0, this.#answeredAt);
    const inMs = since + commandTimeoutMs - performance.now();
    this.#deadline = new Timer(Math.max(1, Math.ceil(inMs)), () => {
      this.#deadline = undefined;
      this.#refusePending(performance.now() - commandTimeoutMs);
      this.#planDeadline();
      this.#notifyIdle();
    });
  }

  /** @param before monotonic ms */
  #refusePending(before: number): void {
    if (this.#answeredAt > before) return;
    let count = 0;
    for (const group of this.#pending) {
      if (group.queuedAt > before) break;
      count += 1;
      this.#pendingJobs -= group.jobs.length;
      refuse(
        group,
        new ConnectionError(
          `Nothing was added: Redis at ${this.#link.address} has not answered earlier adds for ${String(this.#link.commandTimeoutMs)} ms.`,
        ),
      );
    }
    this.#pending.splice(0, count);
  }
}
