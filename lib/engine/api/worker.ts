import { EventEmitter } from 'node:events';
import { queueKeys } from '../../redis/keys.js';
import type { QueueKeys } from '../../redis/keys.js';
import { alsoTelling, emittingObserver } from '../connection/observe.js';
import { CONNECT_TIMEOUT_MS, CommandLink } from '../connection/command-link.js';
import type { ConnectionInfo } from '../connection/command-link.js';
import { WorkerCore } from '../worker/worker-core.js';
import { checkedProcessor, handlerOf, threadsOf } from '../threads/of-worker.js';
import type { ThreadPool } from '../threads/thread-pool.js';
import type { Delivery } from '../worker/lease/delivery.js';
import type { WorkerHealth } from '../worker/health.js';
import { delayRun, discardRun, failRun } from '../worker/run/interventions.js';
import { toConsumerConfig, toSettings } from '../worker/settings.js';
import type { WorkerSettings } from '../worker/settings.js';
import { emitTo, reportTo } from '../base/emit.js';
import { RateLimitError, ShutdownError } from '../base/errors.js';
import { jobActions } from '../admin/job-actions.js';
import { MAX_DELAY_SECS } from '../enqueue/new-job.js';
import type { Job, JobOwner } from '../job/job.js';
import type { WorkerOptions } from '../config/options.js';
import { outsideOfContext } from '../base/own-context.js';
import { workerSchema } from '../config/options/worker.js';
import { checkConcurrency, checkDelay, checkQueueName } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import { checkLimitMs } from '../config/options/limits.js';
import { groupOfJob } from '../config/options/group.js';
import { setGroup } from '../../redis/scripts/set-group.js';
import { setRateLimited } from '../../redis/scripts/set-rate-limited.js';
import { runByItself } from './by-itself.js';
import { emittingHooks } from './emitting-hooks.js';
import type { AnyProcessor, BatchProcessor, MixedProcessor, Processor } from './processor-types.js';
import type { WorkerEventsMap } from './worker-event-types.js';

/** The consuming side of one queue, with its promoter and scheduler. */
export class Worker<Data = unknown, Result = unknown, Name extends string = string>
  extends EventEmitter<WorkerEventsMap<Data, Result, Name>>
  implements AsyncDisposable
{
  readonly name: string;
  readonly keys: QueueKeys;
  readonly #opts: WorkerOptions;
  readonly #settings: WorkerSettings;
  readonly #link: CommandLink;
  readonly #core: WorkerCore;
  /** If the processor is a file. */
  readonly #threads: ThreadPool | undefined;
  #concurrency: number;
  #ready: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #started = false;
  #stopped = false;
  #markClosed: () => void = () => undefined;
  readonly #closed = new Promise<void>((resolve) => {
    this.#markClosed = resolve;
  });

  /**
   * @param processor a function; or the absolute path or URL of a file whose default export is one: it runs in threads, see
   * `useWorkerThreads`
   * @throws ConfigError (CMQ-004) for a wrong name, option or path
   */
  constructor(
    name: string,
    processor: BatchProcessor<Data, Result, Name>,
    opts: WorkerOptions & Required<Pick<WorkerOptions, 'batches'>>,
  );
  constructor(
    name: string,
    processor: MixedProcessor<Data, Result, Name>,
    opts: WorkerOptions & Required<Pick<WorkerOptions, 'batchesOf'>>,
  );
  constructor(name: string, processor: Processor<Data, Result, Name> | string | URL, opts: WorkerOptions);
  constructor(name: string, processor: AnyProcessor<Data, Result, Name> | string | URL, opts: WorkerOptions) {
    super();
    checkQueueName(name);
    const owner = `Worker "${name}"`;
    const checked = checkedProcessor(owner, processor);
    this.#opts = opts = checkOptions(owner, workerSchema, opts, ['connection']);
    this.name = name;
    this.keys = queueKeys(name);
    this.#settings = toSettings(toConsumerConfig(opts));
    this.#threads = threadsOf(name, checked, opts, this.#settings, this.#limitConcurrency, this.#report);
    this.#concurrency = this.#settings.concurrency;
    const observer = emittingObserver(this);
    this.#link = new CommandLink(
      opts.connection,
      opts,
      opts.telemetry ? alsoTelling((end) => this.#settings.observed?.reconnected?.(end), observer) : observer,
    );
    this.#core = new WorkerCore(
      this.#link,
      this.keys,
      this.#settings,
      opts.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      handlerOf(checked, this.#threads),
      this.#jobOwner(),
      emittingHooks(this, this.#report),
    );
    if (opts.autorun !== false) runByItself(this, this.#report);
  }

  /**
   * The options as given: `opts.concurrency` is how many handlers ran at once at first; {@link Worker.concurrency} is how
   * many do now. Printing the worker does not show the options, because they may hold a password.
   */
  get opts(): WorkerOptions {
    return this.#opts;
  }

  /** Name of the consumer in its group. */
  get id(): string {
    return this.#settings.consumerId;
  }

  /**
   * Resolves when the worker has started: it has declared its limits, and fetches jobs. If it does not run (`autorun: false`),
   * resolves when Redis answers and is new enough.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async waitUntilReady(): Promise<void> {
    // With `autorun`, the constructor has queued the start, and the caller may be in the same tick.
    await Promise.resolve();
    return this.#ready ?? this.#link.ready();
  }

  /**
   * Consumes until `close()`, then resolves. Called again, it returns the same promise.
   * @throws ConnectionError (CMQ-001) or ConfigError (CMQ-004) if Redis cannot be used; call `run()` again to retry
   */
  run(): Promise<void> {
    // Loops and timers outlive the caller, for example a request, so they must not keep its async context.
    this.#running ??= outsideOfContext(() => this.#run()).catch((error: unknown) => {
      this.#running = undefined;
      throw error;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    if (this.#closing) return this.#closed;
    this.#ready = this.#link
      .ready()
      .then(() => this.#threads?.start())
      .then(() => this.#core.start());
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      if (this.isClosed) return;
      throw error;
    }
    this.#started = true;
    if (!this.isClosed) this.#emit('ready');
    return this.#closed;
  }

  /**
   * Stops fetching, releases the jobs that have not started, and waits up to `shutdownDeadlineSecs` for running handlers.
   * Jobs that are still running then are released with no attempt used, and their signal is aborted. Settles by that time
   * even if Redis does not answer. Another call returns the same promise.
   * @param force abort running handlers at once; also if a `close()` without it is still waiting for them
   */
  close(force = false): Promise<void> {
    if (!this.#closing) {
      // Set first: a listener of `closing` may call this again.
      this.#closing = this.#closed;
      void this.#close(force);
    } else if (force) void this.#core.stop(0);
    return this.#closing;
  }

  async #close(force: boolean): Promise<void> {
    this.#emit('closing', force ? 'forced' : 'waiting for running jobs');
    const grace = force ? 0 : this.#settings.shutdownDeadlineMs;
    await this.#core.stop(grace);
    await this.#threads?.close();
    this.#link.release();
    this.#stopped = true;
    this.#markClosed();
    this.#emit('closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** True from the first call of `close()` on. */
  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  isRunning(): boolean {
    return this.#core.isStarted && !this.#stopped;
  }

  /** Whether its reads are answered, how busy it is, and whether it has lost leases. Sends nothing to Redis. */
  health(): WorkerHealth {
    const { lastError, ...core } = this.#core.health;
    const { downMs, outage } = this.#link;
    return {
      state: this.#state,
      ...core,
      lastError: lastError ?? outage?.message,
      disconnectedMs: this.isClosed ? 0 : downMs,
    };
  }

  get #state(): WorkerHealth['state'] {
    if (this.#closing) return this.#stopped ? 'closed' : 'closing';
    if (this.#started) return this.#link.outage ? 'disconnected' : 'running';
    return this.#running ? 'starting' : 'idle';
  }

  /** The address and the state of the connection for its commands. */
  get connectionInfo(): ConnectionInfo {
    return this.#link.info;
  }

  /**
   * Handlers running at once, 1 to 100,000; in threads, at most `maxThreads`. Setting it takes effect at once: if it grows,
   * more jobs start; if it shrinks, the handlers that run go on, and none starts until fewer than this run.
   * @throws ConfigRangeError (a RangeError, CMQ-004) when it is set to anything else
   */
  get concurrency(): number {
    return this.#concurrency;
  }

  set concurrency(concurrency: number) {
    checkConcurrency(concurrency);
    this.#concurrency = Math.min(concurrency, this.#threads?.maxThreads ?? concurrency);
    this.#limitConcurrency();
  }

  /** A thread that starts again is no room for a job. */
  readonly #limitConcurrency = (): void => {
    this.#core.concurrency = Math.min(this.#concurrency, this.#threads?.capacity ?? this.#concurrency);
  };

  /** Whether {@link Worker.pause} was called for this worker. `health()` says whether its queue is paused, too. */
  isPaused(): boolean {
    return this.#core.isPaused;
  }

  /**
   * Pauses this worker only, until `resume()` or the end of the process: it starts no job, fetches none, and releases those
   * that it has fetched and not started, with no attempt used. Running handlers go on, and their leases are renewed. The
   * promoter and the scheduler of this worker go on too. `Queue.pause` pauses all workers of a queue.
   *
   * Resolves when no handler runs and what they have done is committed. Resolves earlier if the worker is resumed or closed.
   * @param doNotWaitActive resolve at once
   */
  async pause(doNotWaitActive = false): Promise<void> {
    const paused = this.#core.pause();
    if (!doNotWaitActive) await Promise.race([paused, this.#closed]);
  }

  /** Ends the pause of this worker. A pause of its queue stays. */
  async resume(): Promise<void> {
    this.#core.resume();
    return Promise.resolve();
  }

  /** The error that a handler throws after `rateLimit`: its job goes back to the queue, with no attempt used. */
  static RateLimitError(): RateLimitError {
    return new RateLimitError();
  }

  /**
   * Lets no job of the queue start for so many ms, in all workers: see `Queue.rateLimit`, which does the same.
   * @param expireTimeMs from 1 to 2,592,000,000 (30 days). A later call replaces it
   * @throws ConfigRangeError (a RangeError, CMQ-004), ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async rateLimit(expireTimeMs: number): Promise<void> {
    checkLimitMs('rateLimit: the time', expireTimeMs);
    await this.#use((link, keys) => setRateLimited(link, keys, { ms: expireTimeMs }));
    // Sooner than any wake: what this worker has fetched ahead stays.
    this.#core.policyChanged();
  }

  /**
   * Lets no job of the group of this job start for so many ms, in all workers: for a service that asks one tenant to come back later.
   * Throw a RateLimitError after it, and the job goes back to its place in the group, with no attempt used; in a strict group, it
   * is the next one. Other groups go on, and so do jobs of the group that run.
   * @param job of a group
   * @param expireTimeMs from 1 to 2,592,000,000 (30 days). A later call replaces it
   * @throws ConfigError (CMQ-004), ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async rateLimitGroup(job: Job, expireTimeMs: number): Promise<void> {
    const group = groupOfJob('rateLimitGroup', this.name, job);
    checkLimitMs('rateLimitGroup: the time', expireTimeMs);
    await this.#use((link, keys) => setGroup(link, keys, { group, limitedMs: expireTimeMs }));
  }

  #jobOwner(): JobOwner {
    return {
      name: this.name,
      reportProgress: (job, progress) => {
        this.#emit('progress', job, progress);
      },
      signalOf: (delivery) => (delivery as Delivery).signal,
      discard: (delivery) => {
        discardRun(delivery as Delivery, this.name);
      },
      fail: (delivery, error) => {
        failRun(delivery as Delivery, this.name, error);
      },
      moveToDelayed: (delivery, timestamp) => {
        checkDelay(Math.max(0, timestamp - this.#settings.clock.now()), MAX_DELAY_SECS * 1000);
        delayRun(delivery as Delivery, this.name, timestamp, this.#settings.clock);
      },
      entryIdOf: (delivery) => (delivery as Delivery).entryId,
      actions: jobActions({
        queue: this.name,
        eventsCap: this.#settings.eventsCap,
        limits: { maxPayloadBytes: this.#settings.maxPayloadBytes, maxDelayMs: MAX_DELAY_SECS * 1000 },
        onLost: this.#report,
        use: (call) => this.#use(call),
      }),
    };
  }

  /** Calls Redis for a method of a job. */
  async #use<T>(call: (link: CommandLink, keys: QueueKeys) => Promise<T>): Promise<T> {
    if (this.#stopped) throw new ShutdownError(`Worker "${this.name}" is closed.`);
    await this.#link.ready();
    return call(this.#link, this.keys);
  }

  #emit(event: keyof WorkerEventsMap, ...args: unknown[]): void {
    if (this.listenerCount(event) > 0) emitTo(this, event, args, this.#report);
  }

  readonly #report = (error: unknown): void => {
    // The outage of a connection is reported once, when it begins.
    if (this.#link.isFromOutage(error)) return;
    reportTo(this, error);
  };
}
