import {
  Queue,
  type BulkJobOptions,
  type CancelOutcome,
  type Job,
  type JobsOptions,
  type QueueOptions,
  type RepeatOptions,
} from '../engine/index.js';
import {
  MAX_DELAY_SECS,
  MAX_PAYLOAD_BYTES,
  checkJobOptions,
  toNewJob,
  withDefaults,
} from '../engine/new-job.js';
import { toRepeatableSpec } from '../engine/repeat/from-options.js';
import { resolvedKey } from '../engine/repeat/spec.js';
import { getQueueToken } from '../nest/tokens.js';
import { noRedis } from './no-redis.js';
import { testJob } from './test-job.js';

/** One job that was added to a fake queue. */
export interface AddedJob<Data = unknown, Name extends string = string> {
  /** As given, or a ULID; of a repeatable job, the key of its spec. */
  readonly id: string;
  readonly name: Name;
  readonly data: Data;
  /** Those of the add over `defaultJobOptions`. */
  readonly opts: JobsOptions;
}

export type FakeQueueOptions = Omit<QueueOptions, 'connection' | 'durability'>;

/**
 * A queue for unit tests, without Redis: it checks what is added as the real one does, and records it. A `jobId` that is
 * taken makes a duplicate, which is not recorded again.
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
  /** In the order in which they were added, without those that were removed again. */
  readonly added: AddedJob<Data, Name>[] = [];
  #failure: Error | undefined;

  constructor(name: string, opts: FakeQueueOptions = {}) {
    super(name, { ...opts, connection: noRedis(`FakeQueue "${name}"`) });
  }

  /** The next call that adds rejects with this, and adds nothing. */
  failNext(error: Error): void {
    this.#failure = error;
  }

  /** Forgets what was added. */
  clear(): void {
    this.added.length = 0;
    this.#failure = undefined;
  }

  override async waitUntilReady(): Promise<void> {
    await Promise.resolve();
  }

  override async add(name: Name, data: Data, opts?: JobsOptions): Promise<Job<Data, Result, Name>> {
    const [job] = await this.#add([{ name, data, opts }]);
    return job as Job<Data, Result, Name>;
  }

  override async addBulk(
    jobs: readonly { name: Name; data: Data; opts?: BulkJobOptions }[],
  ): Promise<Job<Data, Result, Name>[]> {
    return this.#add(jobs);
  }

  /** 1 for a job that was added, which is then no longer in `added`: nothing runs here. */
  override async remove(jobId: string): Promise<number> {
    const at = this.added.findIndex(({ id, opts }) => id === jobId && opts.repeat === undefined);
    if (at < 0) return Promise.resolve(0);
    this.added.splice(at, 1);
    return Promise.resolve(1);
  }

  /** `removed` for a job that was added, which is then no longer in `added`, else `gone`. */
  override async cancel(jobId: string): Promise<CancelOutcome> {
    return (await this.remove(jobId)) === 1 ? 'removed' : 'gone';
  }

  async #add(
    jobs: readonly { name: Name; data: Data; opts?: JobsOptions | undefined }[],
  ): Promise<Job<Data, Result, Name>[]> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    // All are checked before any is added.
    const checked = jobs.map(({ name, data, opts }) => this.#check(name, data, opts));
    return Promise.resolve(checked.map((job) => this.#record(job)));
  }

  #check(name: Name, data: Data, given: JobsOptions | undefined): AddedJob<Data, Name> {
    const opts = withDefaults(this.opts.defaultJobOptions, given) ?? {};
    const limits = {
      maxPayloadBytes: this.opts.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
      maxDelayMs: (this.opts.maxDelaySecs ?? MAX_DELAY_SECS) * 1000,
    };
    if (opts.repeat === undefined) return { id: toNewJob(name, data, opts, limits).id, name, data, opts };
    checkJobOptions(opts, limits);
    const repeated: JobsOptions & { repeat: RepeatOptions } = { ...opts, repeat: opts.repeat };
    return { id: resolvedKey(toRepeatableSpec(name, data, repeated)), name, data, opts };
  }

  #record(job: AddedJob<Data, Name>): Job<Data, Result, Name> {
    const { id, name, data, opts } = job;
    const duplicate = this.added.some((other) => other.id === id);
    const made = testJob<Data, Result, Name>({
      id,
      name,
      data,
      opts,
      attemptsMade: 0,
      queueName: this.name,
    });
    made.duplicate = duplicate;
    if (!duplicate) this.added.push(job);
    return made;
  }
}

/** A fake queue as a provider, under the token that `@InjectQueue(name)` asks for. */
export function fakeQueueProvider<Data = unknown, Result = unknown, Name extends string = string>(
  name: string,
  opts: FakeQueueOptions = {},
): { provide: string; useValue: FakeQueue<Data, Result, Name> } {
  return { provide: getQueueToken(name), useValue: new FakeQueue<Data, Result, Name>(name, opts) };
}
