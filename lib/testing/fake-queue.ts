import {
  Job,
  NotSupportedError,
  Queue,
  QueueFullError,
  ShutdownError,
  decodePayload,
  encodePayload,
  type BulkJobOptions,
  type CancelOutcome,
  type JobSchedulerTemplate,
  type JobsOptions,
  type QueueOptions,
  type RepeatOptions,
  type RepeatableSpec,
} from '../engine/index.js';
import {
  MAX_DELAY_SECS,
  MAX_PAYLOAD_BYTES,
  checkJobOptions,
  toNewJob,
  withDefaults,
  type JobLimits,
  checkJobs,
} from '../engine/enqueue/new-job.js';
import { toRepeatableSpec } from '../engine/timers/repeat/from-options.js';
import { fromTemplate, nextJob } from '../engine/timers/repeat/from-template.js';
import { firstFire } from '../engine/timers/repeat/schedules.js';
import { encodeSchedule } from '../engine/timers/repeat/stored-schedule.js';
import { checkJobId, checkText } from '../engine/config/check-arguments.js';
import { getQueueToken } from '../nest/tokens.js';
import { NEED_REDIS } from './need-redis.js';
import { noRedis } from './no-redis.js';

/** One job that was added to a fake queue. */
export interface AddedJob<Data = unknown, Name extends string = string> {
  /** The `jobId`, or a ULID. For a schedule, its key. */
  readonly id: string;
  readonly name: Name;
  /** The data that a worker would get: a copy, encoded and decoded again. */
  readonly data: Data;
  /** The options of the add, merged over `defaultJobOptions`. */
  readonly opts: JobsOptions;
}

/** A job to add that has passed all checks. */
interface Checked<Data, Name extends string> {
  readonly job: AddedJob<Data, Name>;
  /** The original data, for the job that is returned. */
  readonly data: Data;
  readonly opts: JobsOptions;
  readonly timestamp: number;
  readonly delay: number;
  /** The revision of a schedule, which tells a changed schedule from an unchanged one. Undefined for a job. */
  readonly revision: string | undefined;
}

interface ToAdd<Data, Name extends string> {
  readonly name: Name;
  readonly data: Data;
  readonly opts?: JobsOptions | undefined;
}

export type FakeQueueOptions = Omit<QueueOptions, 'connection' | 'durability'>;

/**
 * A queue for unit tests, without Redis. It checks each add as the real queue does, and records what a worker would get. A
 * `jobId` or deduplication id that is taken and an unchanged schedule are duplicates, which are not recorded again. A changed
 * schedule replaces the old one; so does a job with `deduplication.replace`. Nothing runs, so a recorded job stays until you remove it. Methods that need Redis reject with `CMQ-100`.
 *
 * @example
 * ```ts
 * const queue = new FakeQueue<Welcome>('welcome');
 * await new SignupService(queue).signUp('ada@example.com');
 * expect(queue.added).toMatchObject([{ name: 'send', data: { to: 'ada@example.com' } }]);
 * ```
 */
export class FakeQueue<Data = unknown, Result = unknown, Name extends string = string> extends Queue<
  Data,
  Result,
  Name
> {
  static {
    for (const method of NEED_REDIS) {
      const value = async function (this: FakeQueue): Promise<never> {
        this.#assertOpen();
        return Promise.reject(needsRedis(method));
      };
      Object.defineProperty(this.prototype, method, { value, configurable: true, writable: true });
    }
  }

  /** The recorded jobs in the order of their adds, without the removed ones. */
  readonly added: AddedJob<Data, Name>[] = [];
  readonly #limits: JobLimits;
  /** The revisions of the schedules, by key. */
  readonly #revisions = new Map<string, string>();
  #failure: Error | undefined;
  #isPaused = false;

  constructor(name: string, opts: FakeQueueOptions = {}) {
    super(name, { ...opts, connection: noRedis(`FakeQueue "${name}"`) });
    this.#limits = {
      maxPayloadBytes: opts.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
      maxDelayMs: (opts.maxDelaySecs ?? MAX_DELAY_SECS) * 1000,
    };
  }

  /** The next add, `pause` or `resume` rejects with this error and does nothing. */
  failNext(error: Error): void {
    this.#failure = error;
  }

  /** Forgets all recorded jobs, and that the queue is paused. */
  clear(): void {
    this.#isPaused = false;
    this.added.length = 0;
    this.#revisions.clear();
    this.#failure = undefined;
  }

  override async waitUntilReady(): Promise<void> {
    this.#assertOpen();
    await Promise.resolve();
  }

  override async add(name: Name, data: Data, opts?: JobsOptions): Promise<Job<Data, Result, Name>> {
    this.#assertUsable();
    const merged = withDefaults(this.opts.defaultJobOptions, opts) ?? {};
    const { repeat } = merged;
    const checked =
      repeat === undefined
        ? this.#check({ name, data, opts: merged })
        : this.#checkRepeat({ name, data }, { ...merged, repeat });
    this.#assertRoom([checked]);
    return Promise.resolve(this.#record(checked));
  }

  override async addBulk(
    jobs: readonly { name: Name; data: Data; opts?: BulkJobOptions }[],
  ): Promise<Job<Data, Result, Name>[]> {
    this.#assertUsable();
    checkJobs(jobs);
    // All jobs are checked before one is added.
    const checked = jobs.map(({ name, data, opts }) =>
      this.#check({ name, data, opts: withDefaults(this.opts.defaultJobOptions, opts) }),
    );
    this.#assertRoom(checked);
    return Promise.resolve(checked.map((job) => this.#record(job)));
  }

  // eslint-disable-next-line require-yield -- it refuses
  override async *findJobs(): AsyncGenerator<never, void> {
    this.#assertOpen();
    throw needsRedis('findJobs');
  }

  /** Removes a job from `added`. Returns 1, or 0 if there is no such job. */
  override async remove(jobId: string): Promise<number> {
    checkJobId(jobId);
    this.#assertOpen();
    return Promise.resolve(this.#take(jobId, false) ? 1 : 0);
  }

  /** Removes a job from `added`. Returns `removed`, or `gone` if there is no such job. */
  override async cancel(jobId: string): Promise<CancelOutcome> {
    return (await this.remove(jobId)) === 1 ? 'removed' : 'gone';
  }

  override async upsertJobScheduler(
    jobSchedulerId: string,
    repeatOpts: Omit<RepeatOptions, 'key'>,
    jobTemplate: JobSchedulerTemplate<Data, Name> = {},
  ): Promise<Job<Data, Result, Name>> {
    this.#assertUsable();
    const args = [jobSchedulerId, repeatOpts, jobTemplate] as const;
    const schedule = fromTemplate(args, this.opts.defaultJobOptions, this.#limits);
    const { spec, opts } = schedule;
    const checked = this.#checkSpec(spec, { ...opts, repeat: repeatOpts });
    const { duplicate } = this.#record(checked);
    const next = nextJob<Data, Result, Name>(this, schedule, firstFire(jobSchedulerId, spec, Date.now()));
    next.duplicate = duplicate;
    return Promise.resolve(next);
  }

  /** Removes a schedule from `added`. Returns false if there is no such schedule. */
  override async removeJobScheduler(jobSchedulerId: string): Promise<boolean> {
    return this.removeRepeatableByKey(jobSchedulerId);
  }

  /** Notes that the queue is paused. Adds are recorded all the same. */
  override async pause(): Promise<void> {
    this.#assertUsable();
    this.#isPaused = true;
    this.emit('paused');
    return Promise.resolve();
  }

  override async resume(): Promise<void> {
    this.#assertUsable();
    this.#isPaused = false;
    this.emit('resumed');
    return Promise.resolve();
  }

  override async isPaused(): Promise<boolean> {
    this.#assertOpen();
    return Promise.resolve(this.#isPaused);
  }

  /** Removes a schedule from `added`. Returns false if there is no such schedule. */
  override async removeRepeatableByKey(key: string): Promise<boolean> {
    checkText('removeRepeatableByKey: the key', key);
    this.#assertOpen();
    this.#revisions.delete(key);
    return Promise.resolve(this.#take(key, true));
  }

  #assertOpen(): void {
    if (this.isClosed) throw new ShutdownError(`Queue "${this.name}" is closed.`);
  }

  #assertUsable(): void {
    this.#assertOpen();
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  #check({ name, data, opts }: ToAdd<Data, Name>): Checked<Data, Name> {
    const { id, payload, createdAtMs, delayMs = 0 } = toNewJob(name, data, opts, this.#limits);
    return {
      job: { id, name, data: decodePayload(payload) as Data, opts: structuredClone(opts ?? {}) },
      data,
      opts: opts ?? {},
      timestamp: createdAtMs,
      delay: delayMs,
      revision: undefined,
    };
  }

  #checkRepeat(
    { name, data }: ToAdd<Data, Name>,
    opts: JobsOptions & { repeat: RepeatOptions },
  ): Checked<Data, Name> {
    checkJobOptions(opts, this.#limits);
    return this.#checkSpec(toRepeatableSpec(name, data, opts), opts);
  }

  #checkSpec(spec: RepeatableSpec, opts: JobsOptions): Checked<Data, Name> {
    const { key, revision } = encodeSchedule(spec, this.#limits.maxPayloadBytes);
    const now = Date.now();
    firstFire(key, spec, now);
    const data = spec.payload as Data;
    const copy = decodePayload(encodePayload(data)) as Data;
    return {
      job: { id: key, name: spec.jobName as Name, data: copy, opts: structuredClone(opts) },
      data,
      opts,
      timestamp: now,
      delay: 0,
      revision,
    };
  }

  /** Refuses all jobs of a call or none. Delayed jobs and schedules do not count towards `maxStreamLen`. */
  #assertRoom(checked: readonly Checked<Data, Name>[]): void {
    const { maxStreamLen = 0 } = this.opts;
    const waiting = this.added.filter(({ opts }) => opts.repeat === undefined && !opts.delay).length;
    const more = checked.filter(({ revision, delay }) => revision === undefined && delay === 0).length;
    if (maxStreamLen > 0 && more > 0 && waiting + more > maxStreamLen) {
      throw new QueueFullError(this.name, waiting, maxStreamLen);
    }
  }

  #record({ job, data, opts, timestamp, delay, revision }: Checked<Data, Name>): Job<Data, Result, Name> {
    const { name } = job;
    const holder = this.#holderOf(opts);
    const id = holder ?? job.id;
    const duplicate =
      revision === undefined ? this.#indexOf(id, false) >= 0 : this.#revisions.get(id) === revision;
    if (!duplicate) {
      if (revision !== undefined) {
        this.#take(id, true);
        this.#revisions.set(id, revision);
      }
      this.added.push(job);
    }
    const made = new Job<Data, Result, Name>(this, {
      id,
      name,
      data,
      opts,
      attemptsMade: 0,
      timestamp,
      delay,
    });
    made.duplicate = duplicate;
    return made;
  }

  /** The job that has the deduplication id of another one; undefined if there is none, or it was replaced. */
  #holderOf({ deduplication, delay }: JobsOptions): string | undefined {
    if (deduplication === undefined) return undefined;
    const holder = this.added.find(({ opts }) => opts.deduplication?.id === deduplication.id);
    if (holder === undefined || !deduplication.replace || !delay || !holder.opts.delay) return holder?.id;
    this.#take(holder.id, false);
    return undefined;
  }

  /** The key of a schedule and the id of a job may be the same text. */
  #indexOf(id: string, isSchedule: boolean): number {
    return this.added.findIndex((job) => job.id === id && (job.opts.repeat !== undefined) === isSchedule);
  }

  #take(id: string, isSchedule: boolean): boolean {
    const at = this.#indexOf(id, isSchedule);
    if (at < 0) return false;
    this.added.splice(at, 1);
    return true;
  }
}

/** A provider of a fake queue, with the token of `@InjectQueue(name)`. */
export function fakeQueueProvider<Data = unknown, Result = unknown, Name extends string = string>(
  name: string,
  opts: FakeQueueOptions = {},
): { provide: string; useValue: FakeQueue<Data, Result, Name> } {
  return { provide: getQueueToken(name), useValue: new FakeQueue<Data, Result, Name>(name, opts) };
}

function needsRedis(method: string): NotSupportedError {
  const hint = 'a fake queue has none. Use TestRedis of nestjs-chasqui/testing.';
  return new NotSupportedError(`FakeQueue.${method} needs Redis, and ${hint}`);
}
