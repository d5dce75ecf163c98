import { BaseAdapter } from '@bull-board/api/dist/queueAdapters/base.js';
import type {
  AppJobScheduler,
  JobCleanStatus,
  JobCounts,
  JobSchedulerRepeatOptions,
  JobSchedulerUpdateResult,
  JobStatus,
  MetricsType,
  ObliterateOptions,
  QueueDefaultJobOptions,
  QueueJobOptions,
  QueueMetrics,
  QueueRateLimit,
  QueueWorker,
  Status,
} from '@bull-board/api/typings/app';
import { ConfigError, ConfigTypeError, ScheduleNotFoundError } from '../engine/index.js';
import type { Job, Queue } from '../engine/index.js';
import { BoardError } from './board-error.js';
import { fromBoardId, toBoardId } from './board-id.js';
import { BoardJob, checkAdded } from './board-job.js';
import { BoardPages } from './board-pages.js';
import { BoardReads } from './board-reads.js';
import { JobPlaces } from './job-places.js';
import { toBoardScheduler, toBoardWorker } from './board-rows.js';
import { supersededAmong, toBoardJob, toRowRef } from './unreadable-job.js';
import { checkAdapterOptions } from './check-options.js';
import { shownLogs, MOST_LOG_ROWS } from './shown-logs.js';
import { DETAIL_CHARACTERS, LIST_CHARACTERS } from './shown-value.js';
import type { ChasquiAdapterOptions } from './options.js';

/** Types that Bull Board lists, in the order of its tabs. */
const STATUSES = ['active', 'waiting', 'prioritized', 'completed', 'failed', 'delayed'] as const;

/**
 * A queue on a board of Bull Board.
 *
 * @example
 * ```ts
 * createBullBoard({ queues: [new ChasquiAdapter(queue)], serverAdapter });
 * ```
 */
export class ChasquiAdapter extends BaseAdapter {
  readonly #queue: Queue;
  readonly #name: string;
  readonly #reads: BoardReads;
  readonly #pages: BoardPages;
  readonly #places = new JobPlaces();

  /** @throws ConfigTypeError (CMQ-004) for something else than a Queue; ConfigError (CMQ-004) for a wrong option */
  constructor(queue: Queue, options: ChasquiAdapterOptions = {}) {
    if (typeof (queue as Partial<Queue> | undefined)?.getDlq !== 'function') {
      throw new ConfigTypeError('new ChasquiAdapter(queue): the queue must be a Queue of nestjs-chasqui.');
    }
    const { name = queue.name, ...rest } = checkAdapterOptions(options);
    super('bullmq', rest);
    this.#queue = queue;
    this.#name = name;
    this.#reads = new BoardReads(queue);
    this.#pages = new BoardPages(queue);
  }

  getName(): string {
    return toBoardId(`${this.prefix}${this.#name}`);
  }

  getStatuses(): Status[] {
    return ['latest', ...STATUSES];
  }

  getJobStatuses(): JobStatus[] {
    return [...STATUSES];
  }

  /** The waiting jobs of a paused queue count as waiting: the board shows the pause by itself. */
  async getJobCounts(): Promise<JobCounts> {
    const { waiting, prioritized, active, delayed, deadLetters, completed } = await this.#reads.totals();
    return { active, waiting, prioritized, completed, failed: deadLetters, delayed };
  }

  async isPaused(): Promise<boolean> {
    return (await this.#reads.totals()).isPaused;
  }

  async getJobSchedulersCount(): Promise<number> {
    return (await this.#reads.totals()).schedules;
  }

  async getJobs(statuses: JobStatus[], start = 0, end = -1): Promise<BoardJob[]> {
    const [jobs, superseded] = await this.#reads.read(async () => {
      const listed = await this.#list(statuses, start, end);
      return [listed, await supersededAmong(this.#queue, listed)] as const;
    });
    for (const job of jobs) if (!superseded.has(job)) this.#places.saw(job);
    return jobs.map((job) => toBoardJob(this.#queue, job, LIST_CHARACTERS, superseded.has(job)));
  }

  /** Whether the page that begins at this index was about there: in the middle of a long list, see {@link BoardPages}. */
  isNear(status: string | undefined, start: number): boolean {
    return this.#pages.isNear(status, start);
  }

  /** Why the last read of the counts failed; undefined if it did not. */
  get trouble(): Error | undefined {
    return this.#reads.trouble;
  }

  async getJob(id: string): Promise<BoardJob | undefined> {
    const row = toRowRef(id);
    const meant = fromBoardId(id);
    const job = await this.#reads.read(() =>
      row ? this.#queue.readUnreadable(row) : this.#queue.readJob(meant, this.#places.of(meant)),
    );
    if (!job) return undefined;
    const isSuperseded = row !== undefined && !job.place?.unreadable;
    if (!isSuperseded) this.#places.saw(job);
    return toBoardJob(this.#queue, job, DETAIL_CHARACTERS, isSuperseded);
  }

  async getJobLogs(id: string): Promise<string[]> {
    if (toRowRef(id)) return [];
    // The newest row comes first here, and the log is read from its end.
    const log = await this.#reads.read(() =>
      this.#queue.getJobLogs(fromBoardId(id), 0, MOST_LOG_ROWS - 1, false),
    );
    return shownLogs(log);
  }

  addJob(name: string, data: unknown, options: QueueJobOptions): Promise<BoardJob> {
    return this.#reads.change(async () => {
      checkAdded(name, data, options);
      const job = await this.#queue.add(name, data ?? null, options);
      if (!job.duplicate) return new BoardJob(job, DETAIL_CHARACTERS);
      throw new BoardError(
        409,
        `Nothing was added: a live job has the id "${job.id}", or the schedule exists.`,
      );
    });
  }

  getMetrics(type: MetricsType, start?: number, end?: number): Promise<QueueMetrics> {
    return this.#reads.read(() => this.#queue.getMetrics(type, start, end));
  }

  getRedisInfo(): Promise<string | null> {
    return this.#reads.read(() => this.#queue.readServerInfo());
  }

  override async getWorkers(): Promise<QueueWorker[] | null> {
    return (await this.#reads.read(() => this.#queue.getWorkers())).map(toBoardWorker);
  }

  override getQueueDefaultJobOptions(): QueueDefaultJobOptions {
    return this.#queue.opts.defaultJobOptions ?? {};
  }

  pause(): Promise<void> {
    return this.#reads.change(() => this.#queue.pause());
  }

  resume(): Promise<void> {
    return this.#reads.change(() => this.#queue.resume());
  }

  empty(): Promise<void> {
    return this.#reads.change(() => this.#queue.drain());
  }

  obliterate({ force = false }: ObliterateOptions = {}): Promise<void> {
    return this.#reads.change(() => this.#queue.obliterate({ force }));
  }

  promoteAll(): Promise<void> {
    return this.#reads.change(() => this.#queue.promoteJobs());
  }

  /** Replays all dead letters, or runs all completed jobs again that are kept. */
  retryAll(state: 'completed' | 'failed'): Promise<void> {
    return this.#reads.change(() => this.#queue.retryJobs({ state }));
  }

  async clean(status: JobCleanStatus, graceTimeMs: number): Promise<void> {
    await this.#reads.change(() => this.#queue.clean(graceTimeMs, 0, status));
  }

  removeJobScheduler(id: string): Promise<boolean> {
    return this.#reads.change(() => this.#queue.removeJobScheduler(id));
  }

  async getJobSchedulers(): Promise<Omit<AppJobScheduler, 'queueName'>[]> {
    return (await this.#reads.read(() => this.#queue.getJobSchedulers())).map(toBoardScheduler);
  }

  override get supportsJobSchedulerUpdate(): boolean {
    return true;
  }

  override get supportsJobSchedulerRun(): boolean {
    return true;
  }

  /** Changes when the schedule fires. Its jobs stay as they are. */
  updateJobScheduler(id: string, repeat: JobSchedulerRepeatOptions): Promise<JobSchedulerUpdateResult> {
    return this.#reads.change(async () => {
      try {
        await this.#queue.rescheduleJobScheduler(id, repeat);
        return 'updated';
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return 'not-found';
        const isOfPattern = error instanceof ConfigError && error.message.startsWith('repeat: pattern ');
        if (isOfPattern) return 'invalid-schedule';
        throw error;
      }
    });
  }

  runJobSchedulerNow(id: string): Promise<BoardJob | 'not-found'> {
    return this.#reads.change(async () => {
      try {
        return new BoardJob(await this.#queue.runJobScheduler(id), DETAIL_CHARACTERS);
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return 'not-found';
        throw error;
      }
    });
  }

  /** null: no limit. */
  async getGlobalConcurrency(): Promise<number | null> {
    return (await this.#reads.limits()).concurrency ?? null;
  }

  /** @param concurrency 0 = no limit */
  async setGlobalConcurrency(concurrency: number): Promise<void> {
    await this.#reads.change(() =>
      concurrency > 0 ? this.#queue.setGlobalConcurrency(concurrency) : this.#queue.removeGlobalConcurrency(),
    );
  }

  override get supportsGlobalRateLimit(): boolean {
    return true;
  }

  override async getConfiguredRateLimit(): Promise<QueueRateLimit | null> {
    const { max, duration } = await this.#reads.limits();
    return max === undefined || duration === undefined ? null : { max, duration };
  }

  override async setConfiguredRateLimit({ max, duration }: QueueRateLimit): Promise<void> {
    await this.#reads.change(() => this.#queue.setGlobalRateLimit(max, duration));
  }

  override async removeConfiguredRateLimit(): Promise<void> {
    await this.#reads.change(() => this.#queue.removeGlobalRateLimit());
  }

  /** For how many ms no job may start: because of `rateLimit`, or because the window is full. */
  override async getActiveRateLimitTtl(): Promise<number> {
    const { limitedMs = 0, max = Infinity, starts, freesMs } = await this.#reads.limits();
    return Math.max(limitedMs, starts >= max ? freesMs : 0);
  }

  override async releaseActiveRateLimit(): Promise<void> {
    await this.#reads.change(() => this.#queue.removeRateLimitKey());
  }

  /** For the graph of a flow, which no job has. */
  getFlowProducer(): Promise<null> {
    return Promise.resolve(null);
  }

  getQueueName(): string {
    return this.#queue.name;
  }

  getQueueQualifiedName(): string {
    return this.#queue.keys.prefix;
  }

  async #list(statuses: JobStatus[], start: number, end: number): Promise<Job[]> {
    const [status, ...others] = statuses;
    const isStream = others.length === 0 && (status === 'waiting' || status === 'failed');
    if (!isStream || start === 0 || end < start) return this.#queue.getJobs(statuses, start, end);
    const { jobs } = await this.#pages.read(status, start, end - start + 1);
    return jobs;
  }
}
