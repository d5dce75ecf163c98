import { randomUUID } from 'node:crypto';
import { Timer } from '../../redis/timer.js';
import type { QueueKeys } from '../../redis/keys.js';
import type { ExtraKeys, ScriptArgument } from '../../redis/scripts.js';
import type { CommandLink } from '../connection/connections.js';
import { envelopeBound, writeEnvelope } from '../codec/envelope.js';
import type { Envelope } from '../codec/envelope.js';
import { addColumn } from '../codec/event-batch.js';
import type { EventsSettings } from '../config/events-settings.js';
import { ConnectionError, DurabilityError, QueueFullError, messageOf } from '../base/errors.js';
import type { DurabilityOptions } from '../config/options.js';

/** A job on its way into Redis. */
export interface NewJob extends Envelope {
  name: string;
  /** ms from now, by Redis's clock. Absent or 0 = at once. */
  delayMs?: number | undefined;
  /** Unix ms; instead of `delayMs`. */
  runAtMs?: number | undefined;
  /** The id is the caller's: for how many ms it stays taken after the job has ended. */
  uniqueMs?: number | undefined;
}

export interface EnqueuerSettings extends EventsSettings {
  maxStreamLen: number;
  durability?: DurabilityOptions | undefined;
}

interface Group {
  readonly jobs: readonly NewJob[];
  /** Of their payloads. */
  readonly bytes: number;
  /** Monotonic ms. */
  readonly queuedAt: number;
  /** How long the stream may be after it, for this group. */
  readonly maxStreamLen: number;
  /** What the user has set it to. */
  readonly capacity: number;
  resolve(duplicates: ReadonlySet<number>): void;
  reject(error: unknown): void;
}

/** Most jobs, and bytes of payloads, of one call, so that a script stays within a few ms. One job may be larger. */
const MAX_JOBS_PER_CALL = 2_000;
const MAX_BYTES_PER_CALL = 4 * 1024 * 1024;
/** Of all calls under way: each of them has to be answered before its deadline. */
const MAX_BYTES_IN_FLIGHT = 32 * 1024 * 1024;
/** Calls under way for one large group. */
const LARGE_CALLS = 4;
/** Most bytes of an argument that holds more than one job: a server's `proto-max-bulk-len` may be 1 MB. */
const MAX_PART_BYTES = 256 * 1024;
/** So many in one tick leave before it ends: the server adds them while the rest is still being encoded. */
const EARLY_JOBS = 128;
/**
 * A quarter of what lua/lib/once.lua remembers. A call whose deadline is over is among them for as long as it may reach
 * the server.
 */
const MAX_CALLS_IN_FLIGHT = 256;

/** See `touch` of lua/lib/once.lua. */
const TOUCH_MS = 60_000;

const NONE: ReadonlySet<number> = new Set();

const FLAG_DELAYED = 1;
const FLAG_ABSOLUTE = 2;
const FLAG_UNIQUE = 4;

/**
 * The way into a queue: groups of jobs that are added in one tick share a round trip, and each group is accepted or
 * refused whole. A lone add is not delayed for it: the call leaves at the end of the tick in which it was made.
 */
export class Enqueuer {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: EnqueuerSettings;
  readonly #producerId = randomUUID();
  readonly #extraKeys: ExtraKeys;
  #sequence = 0;
  /** When the server's memory of our calls is to be prolonged; it lasts ten minutes. */
  #touchAt = 0;
  /** Calls that may reach the server yet; and those that somebody waits for. */
  #inFlight = 0;
  #unanswered = 0;
  #bytesInFlight = 0;
  /** Monotonic ms. */
  #answeredAt = 0;
  #watching: Timer | undefined;
  #pending: Group[] = [];
  #pendingJobs = 0;
  #scheduled = false;
  /** Calls of `enqueue` that take several of the server. */
  #large = 0;
  #wantIdle: (() => void)[] = [];

  constructor(link: CommandLink, keys: QueueKeys, settings: EnqueuerSettings) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#extraKeys = { calls: keys.calls(this.#producerId) };
  }

  get producerId(): string {
    return this.#producerId;
  }

  /**
   * Adds the jobs as one group. Resolves with the indices of those whose id was taken: they were not added.
   * @throws QueueFullError (CMQ-006), ConnectionError (CMQ-001)
   */
  enqueue(jobs: readonly NewJob[]): Promise<ReadonlySet<number>> {
    if (jobs.length === 0) return Promise.resolve(NONE);
    const bytes = bytesOf(jobs);
    if (jobs.length > MAX_JOBS_PER_CALL || (bytes > MAX_BYTES_PER_CALL && jobs.length > 1)) {
      this.#large += 1;
      return this.#enqueueLarge(jobs).finally(() => {
        this.#large -= 1;
        this.#tellIdle();
      });
    }
    return this.#enqueueGroup(jobs, bytes, this.#settings.maxStreamLen);
  }

  /** Resolves when everything that was to be added has been answered. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wantIdle.push(resolve);
    });
  }

  get #isIdle(): boolean {
    return this.#unanswered === 0 && this.#pending.length === 0 && this.#large === 0;
  }

  #tellIdle(): void {
    if (this.#wantIdle.length === 0 || !this.#isIdle) return;
    const waiting = this.#wantIdle;
    this.#wantIdle = [];
    for (const resolve of waiting) resolve();
  }

  #enqueueGroup(jobs: readonly NewJob[], bytes: number, maxStreamLen: number): Promise<ReadonlySet<number>> {
    return new Promise((resolve, reject) => {
      const capacity = this.#settings.maxStreamLen;
      const queuedAt = performance.now();
      this.#pending.push({ jobs, bytes, queuedAt, maxStreamLen, capacity, resolve, reject });
      this.#pendingJobs += jobs.length;
      if (this.#pendingJobs >= EARLY_JOBS) this.#drain();
      if (this.#scheduled || this.#pending.length === 0) return;
      this.#scheduled = true;
      // After the current run of microtasks: all adds of the tick are here by then.
      process.nextTick(this.#flush);
    });
  }

  /**
   * More than one script should take at once. What takes room in the stream goes first, and the first slice asks for
   * room for all of it; only when that has been accepted do the others follow, unconditionally. So the whole is refused
   * whole.
   */
  async #enqueueLarge(jobs: readonly NewJob[]): Promise<ReadonlySet<number>> {
    const { maxStreamLen } = this.#settings;
    const immediate = jobs.filter(isImmediate).length;
    const duplicates = new Set<number>();
    let unconfirmed: DurabilityError | undefined;
    let added = 0;
    const enqueue = async (slice: Slice, bound: number): Promise<void> => {
      try {
        const group = slice.indices.map((index) => jobs[index] as NewJob);
        const taken = await this.#enqueueGroup(group, slice.bytes, bound);
        for (const index of taken) duplicates.add(slice.indices[index] as number);
      } catch (error) {
        // It was added all the same, so the others follow.
        if (!(error instanceof DurabilityError)) throw error;
        unconfirmed ??= error;
      }
      added += slice.indices.length;
    };
    const [first, ...others] = slicesOf(jobs) as [Slice, ...Slice[]];
    const room =
      maxStreamLen === 0 ? 0 : Math.max(1, maxStreamLen - Math.max(0, immediate - first.indices.length));
    await enqueue(first, room);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let slice = others[next++]; slice; slice = others[next++]) await enqueue(slice, 0);
    };
    const ends = await Promise.allSettled(Array.from({ length: LARGE_CALLS }, work));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw partlyAdded(added, jobs.length, failed.reason);
    if (unconfirmed) {
      throw new DurabilityError(
        unconfirmed.message,
        jobs.map(({ id }) => id),
      );
    }
    return duplicates;
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#drain();
  };

  #drain(): void {
    while (
      this.#pending.length > 0 &&
      this.#inFlight < MAX_CALLS_IN_FLIGHT &&
      this.#bytesInFlight < MAX_BYTES_IN_FLIGHT
    ) {
      void this.#call(this.#take());
    }
    this.#watch();
  }

  /** The next groups that fit into one call; all with the same bound. */
  #take(): Group[] {
    let jobs = 0;
    let bytes = 0;
    let count = 0;
    const bound = this.#pending[0]?.maxStreamLen;
    for (const group of this.#pending) {
      if (group.maxStreamLen !== bound) break;
      bytes += group.bytes;
      const isFull = jobs + group.jobs.length > MAX_JOBS_PER_CALL || bytes > MAX_BYTES_PER_CALL;
      if (count > 0 && isFull) break;
      jobs += group.jobs.length;
      count += 1;
    }
    this.#pendingJobs -= jobs;
    if (count < this.#pending.length) return this.#pending.splice(0, count);
    const all = this.#pending;
    this.#pending = [];
    return all;
  }

  /** Never rejects. */
  async #call(groups: Group[]): Promise<void> {
    let bytes = 0;
    for (const group of groups) bytes += group.bytes;
    this.#inFlight += 1;
    this.#unanswered += 1;
    this.#bytesInFlight += bytes;
    try {
      const reply = await this.#send(groups, () => {
        this.#inFlight -= 1;
        this.#bytesInFlight -= bytes;
        this.#answeredAt = performance.now();
        this.#drain();
      });
      const unconfirmed = this.#settings.durability ? await this.#unconfirmed() : undefined;
      settle(groups, reply, this.#keys.queue, unconfirmed);
    } catch (error) {
      for (const group of groups) group.reject(error);
    }
    this.#unanswered -= 1;
    this.#tellIdle();
  }

  /** What waits for its turn has a deadline too, where no call is answered meanwhile. */
  #watch(): void {
    const { commandTimeoutMs } = this.#link;
    if (this.#watching || this.#pending.length === 0 || !(commandTimeoutMs > 0)) return;
    const oldest = Math.max(this.#pending[0]?.queuedAt ?? 0, this.#answeredAt);
    const inMs = oldest + commandTimeoutMs - performance.now();
    this.#watching = new Timer(Math.max(1, Math.ceil(inMs)), () => {
      this.#watching = undefined;
      this.#refuseQueued(performance.now() - commandTimeoutMs);
      this.#watch();
      this.#tellIdle();
    });
  }

  /** @param before monotonic ms */
  #refuseQueued(before: number): void {
    if (this.#answeredAt > before) return;
    let count = 0;
    for (const group of this.#pending) {
      if (group.queuedAt > before) break;
      count += 1;
      this.#pendingJobs -= group.jobs.length;
      group.reject(
        new ConnectionError(
          `Nothing was added: Redis at ${this.#link.address} has not answered the adds before for ${String(this.#link.commandTimeoutMs)} ms.`,
        ),
      );
    }
    this.#pending.splice(0, count);
  }

  /** Why the add does not count as durable, or undefined where it does. */
  async #unconfirmed(): Promise<string | undefined> {
    const { durability } = this.#settings;
    if (!durability) return undefined;
    const { replicas, timeoutMs } = durability;
    const most = `within ${String(timeoutMs)} ms`;
    try {
      // WAIT is about what this connection has written, so it follows the add on the same one.
      const have = Number(await this.#link.call('WAIT', [replicas, timeoutMs]));
      return have >= replicas ? undefined : `${String(have)} of ${String(replicas)} replicas have it ${most}`;
    } catch (error) {
      return `no replica confirmed it ${most} (${messageOf(error)})`;
    }
  }

  #send(groups: readonly Group[], onSettled: () => void): Promise<AddReply> {
    const { sizes, parts, names, anyDelayed } = pack(groups);
    const sequence = this.#sequence++;
    const touch = performance.now() >= this.#touchAt;
    if (touch) this.#touchAt = performance.now() + TOUCH_MS;
    const { eventsCap, eventsBatchFrom } = this.#settings;
    const batch = eventsCap > 0 && eventsBatchFrom > 0 ? eventBatchOf(groups, eventsBatchFrom) : NO_BATCH;
    const flags = (anyDelayed ? 'd' : '') + (touch ? 't' : '') + (batch.length > 0 ? 'b' : '');
    const capacity = groups[0]?.maxStreamLen ?? 0;
    return this.#link.run(
      'add',
      this.#keys,
      [sequence, capacity, eventsCap, flags, sizes, parts.length, ...parts, ...batch, ...names],
      { ...this.#extraKeys, onSettled },
    ) as Promise<AddReply>;
  }
}

function bytesOf(jobs: readonly NewJob[]): number {
  let bytes = 0;
  for (const job of jobs) bytes += job.payload.length;
  return bytes;
}

/** Some of the jobs of a large group, by their places in it. */
interface Slice {
  indices: number[];
  bytes: number;
}

/** Each of them is for one call; immediate jobs stand first. */
function slicesOf(jobs: readonly NewJob[]): Slice[] {
  const order = [...jobs.keys()].sort((a, b) => rank(jobs[a]) - rank(jobs[b]) || a - b);
  const slices: Slice[] = [];
  let slice: Slice | undefined;
  for (const index of order) {
    const { length } = (jobs[index] as NewJob).payload;
    if (!slice || slice.indices.length === MAX_JOBS_PER_CALL || slice.bytes + length > MAX_BYTES_PER_CALL) {
      slice = { indices: [], bytes: 0 };
      slices.push(slice);
    }
    slice.indices.push(index);
    slice.bytes += length;
  }
  return slices;
}

/** What failed came after the first slice. */
function partlyAdded(added: number, all: number, reason: unknown): ConnectionError {
  const cause = reason instanceof ConnectionError && reason.cause !== undefined ? reason.cause : reason;
  return new ConnectionError(
    `${String(added)} of ${String(all)} jobs were added before a call failed; which of the others were is unknown. Jobs that have a jobId can be added again safely. ${messageOf(cause)}`,
    { unknownOutcome: true, cause: reason },
  );
}

/** See lua/add.lua. */
type AddReply = number | [length: number, refused: number[], duplicates: number[], due: string];

/** Immediate jobs first. */
function rank(job: NewJob | undefined): number {
  return job && isImmediate(job) ? 0 : 1;
}

function isImmediate(job: NewJob): boolean {
  return !job.delayMs && job.runAtMs === undefined;
}

/** @param unconfirmed why what was accepted does not count as durable */
function settle(groups: readonly Group[], reply: AddReply, queue: string, unconfirmed?: string): void {
  const [length, refused, duplicates]: readonly [number, readonly number[], readonly number[], ...unknown[]] =
    typeof reply === 'number' ? [reply, [], []] : reply;
  let from = 0;
  groups.forEach((group, index) => {
    const to = from + group.jobs.length;
    if (refused.includes(index)) group.reject(new QueueFullError(queue, length, group.capacity));
    else if (unconfirmed !== undefined) group.reject(unconfirmedError(group, unconfirmed));
    else if (duplicates.length === 0) group.resolve(NONE);
    else group.resolve(new Set(duplicates.filter((job) => job >= from && job < to).map((job) => job - from)));
    from = to;
  });
}

function unconfirmedError(group: Group, why: string): DurabilityError {
  return new DurabilityError(
    `Added, but not confirmed: ${why}. The jobs are in the queue, and are lost only if the master fails before a replica catches up; to add them again safely they need a jobId.`,
    group.jobs.map(({ id }) => id),
  );
}

const NO_BATCH: readonly ScriptArgument[] = [];

/** What lua/add.lua takes for one entry for the events of all jobs; empty where each has its own. */
function eventBatchOf(groups: readonly Group[], from: number): readonly ScriptArgument[] {
  const jobs = groups.length === 1 ? (groups[0] as Group).jobs : groups.flatMap((group) => group.jobs);
  const [first] = jobs;
  if (!first || jobs.length < from) return NO_BATCH;
  const delayed = !isImmediate(first);
  // When the others are due, and how long until then, only Redis knows.
  if (!jobs.every((job) => isImmediate(job) !== delayed && job.runAtMs === undefined)) return NO_BATCH;
  const columns: ScriptArgument[] = [];
  addColumn(columns, 'ids', jobs, ({ id }) => id);
  addColumn(columns, 'names', jobs, ({ name }) => name);
  if (delayed) addColumn(columns, 'delays_ms', jobs, ({ delayMs = 0 }) => delayMs);
  return [delayed ? 'delayed' : 'waiting', columns.length, ...columns];
}

/** The frames of lua/add.lua. */
function pack(groups: readonly Group[]): {
  sizes: Buffer;
  parts: Buffer[];
  names: string[];
  anyDelayed: boolean;
} {
  const sizes = Buffer.allocUnsafe(groups.length * 4);
  let left = 0;
  groups.forEach((group, index) => {
    sizes.writeUInt32BE(group.jobs.length, index * 4);
    for (const job of group.jobs) left += frameBound(job);
  });
  const parts: Buffer[] = [];
  const names: string[] = [];
  const indices = new Map<string, number>();
  let anyDelayed = false;
  let part = Buffer.allocUnsafe(Math.min(left, MAX_PART_BYTES));
  let at = 0;
  for (const group of groups) {
    for (const job of group.jobs) {
      let name = indices.get(job.name);
      if (name === undefined) {
        name = names.push(job.name) - 1;
        indices.set(job.name, name);
      }
      anyDelayed ||= !isImmediate(job);
      const bound = frameBound(job);
      if (at + bound > part.length) {
        if (at > 0) parts.push(part.subarray(0, at));
        part = Buffer.allocUnsafe(Math.max(bound, Math.min(left, MAX_PART_BYTES)));
        at = 0;
      }
      at = writeFrame(part, at, job, name);
      left -= bound;
    }
  }
  parts.push(part.subarray(0, at));
  return { sizes, parts, names, anyDelayed };
}

function frameBound(job: NewJob): number {
  return 23 + envelopeBound(job);
}

function writeFrame(to: Buffer, at: number, job: NewJob, name: number): number {
  const immediate = isImmediate(job);
  let flags = 0;
  if (!immediate) flags |= FLAG_DELAYED;
  if (job.runAtMs !== undefined) flags |= FLAG_ABSOLUTE;
  if (job.uniqueMs !== undefined) flags |= FLAG_UNIQUE;
  const body = at + 7;
  let end = writeEnvelope(to, body, job);
  to[at] = flags;
  to.writeUInt16BE(name, at + 1);
  to.writeUInt32BE(end - body, at + 3);
  if (!immediate) end = to.writeDoubleBE(job.runAtMs ?? job.delayMs ?? 0, end);
  if (job.uniqueMs !== undefined) end = to.writeDoubleBE(job.uniqueMs, end);
  return end;
}
