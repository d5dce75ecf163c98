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
  QueueWorker,
  Status,
} from '@bull-board/api/typings/app';
import { settlesWithin } from '../engine/base/deadline.js';
import { ConfigError, ConfigTypeError, ConnectionError, ScheduleNotFoundError } from '../engine/index.js';
import type { Job, JobSchedulerJson, Queue, WorkerInfo } from '../engine/index.js';
import { answering, BoardError } from './board-error.js';
import { fromBoardId, toBoardId } from './board-id.js';
import { BoardJob, checkData } from './board-job.js';
import { checkAdapterOptions } from './check-options.js';
import { shownLogs, MOST_LOG_ROWS } from './shown-logs.js';
import { DETAIL_CHARACTERS, LIST_CHARACTERS, shown } from './shown-value.js';
import type { ChasquiAdapterOptions } from './options.js';

/** A read that takes longer than this, in ms, is answered with an error: the board asks again every few seconds. */
const READ_MS = 5_000;
/** The same for a page in the middle of a long list. */
const LIST_MS = 20_000;

/** Methods of a queue with a global concurrency, by their names in BullMQ. */
interface GlobalLimits {
  getGlobalConcurrency?(): Promise<number | null | undefined>;
  setGlobalConcurrency?(concurrency: number): Promise<unknown>;
  removeGlobalConcurrency?(): Promise<unknown>;
}

type JobTotals = Awaited<ReturnType<Queue['readTotals']>>;

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
  #totals: Promise<JobTotals> | undefined;

  /** @throws ConfigTypeError (CMQ-004) for something else than a Queue; ConfigError (CMQ-004) for a wrong option */
  constructor(queue: Queue, options: ChasquiAdapterOptions = {}) {
    if (typeof (queue as Partial<Queue> | undefined)?.getDlq !== 'function') {
      throw new ConfigTypeError('new ChasquiAdapter(queue): the queue must be a Queue of nestjs-chasqui.');
    }
    const { name = queue.name, ...rest } = checkAdapterOptions(options);
    super('bullmq', rest);
    this.#queue = queue;
    this.#name = name;
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
    const { waiting, prioritized, active, delayed, deadLetters, completed } = await this.#readTotals();
    return { active, waiting, prioritized, completed, failed: deadLetters, delayed };
  }

  async isPaused(): Promise<boolean> {
    return (await this.#readTotals()).isPaused;
  }

  async getJobSchedulersCount(): Promise<number> {
    return (await this.#readTotals()).schedules;
  }

  async getJobs(statuses: JobStatus[], start = 0, end = -1): Promise<BoardJob[]> {
    const jobs = await this.#read(() => this.#list(statuses, start, end), LIST_MS);
    return jobs.map((job) => new BoardJob(job, LIST_CHARACTERS));
  }

  async getJob(id: string): Promise<BoardJob | undefined> {
    for (const meant of fromBoardId(id)) {
      const job = await this.#read(() => this.#queue.getJob(meant));
      if (job) return new BoardJob(job, DETAIL_CHARACTERS);
    }
    return undefined;
  }

  async getJobLogs(id: string): Promise<string[]> {
    for (const meant of fromBoardId(id)) {
      // The newest row comes first here, and the log is read from its end.
      const log = await this.#read(() => this.#queue.getJobLogs(meant, 0, MOST_LOG_ROWS - 1, false));
      if (log.count > 0) return shownLogs(log);
    }
    return [];
  }

  addJob(name: string, data: unknown, options: QueueJobOptions): Promise<BoardJob> {
    return answering(async () => {
      checkData(data);
      const job = await this.#queue.add(name, data ?? null, options);
      if (!job.duplicate) return new BoardJob(job, DETAIL_CHARACTERS);
      throw new BoardError(
        409,
        `Nothing was added: a live job has the id "${job.id}", or the schedule exists.`,
      );
    });
  }

  getMetrics(type: MetricsType, start?: number, end?: number): Promise<QueueMetrics> {
    return this.#read(() => this.#queue.getMetrics(type, start, end));
  }

  getRedisInfo(): Promise<string | null> {
    return this.#read(() => this.#queue.readServerInfo());
  }

  override async getWorkers(): Promise<QueueWorker[] | null> {
    return (await this.#read(() => this.#queue.getWorkers())).map(toBoardWorker);
  }

  override getQueueDefaultJobOptions(): QueueDefaultJobOptions {
    return this.#queue.opts.defaultJobOptions ?? {};
  }

  pause(): Promise<void> {
    return answering(() => this.#queue.pause());
  }

  resume(): Promise<void> {
    return answering(() => this.#queue.resume());
  }

  empty(): Promise<void> {
    return answering(() => this.#queue.drain());
  }

  obliterate({ force = false }: ObliterateOptions = {}): Promise<void> {
    return answering(() => this.#queue.obliterate({ force }));
  }

  promoteAll(): Promise<void> {
    return answering(() => this.#queue.promoteJobs());
  }

  /** Replays all dead letters, or runs all completed jobs again that are kept. */
  retryAll(state: 'completed' | 'failed'): Promise<void> {
    return answering(() => this.#queue.retryJobs({ state }));
  }

  async clean(status: JobCleanStatus, graceTimeMs: number): Promise<void> {
    await answering(() => this.#queue.clean(graceTimeMs, 0, status));
  }

  removeJobScheduler(id: string): Promise<boolean> {
    return answering(() => this.#queue.removeJobScheduler(id));
  }

  async getJobSchedulers(): Promise<Omit<AppJobScheduler, 'queueName'>[]> {
    return (await this.#read(() => this.#queue.getJobSchedulers())).map(toBoardScheduler);
  }

  override get supportsJobSchedulerUpdate(): boolean {
    return true;
  }

  override get supportsJobSchedulerRun(): boolean {
    return true;
  }

  /** Changes when the schedule fires. Its jobs stay as they are. */
  updateJobScheduler(id: string, repeat: JobSchedulerRepeatOptions): Promise<JobSchedulerUpdateResult> {
    return answering(async () => {
      try {
        await this.#queue.rescheduleJobScheduler(id, repeat);
        return 'updated';
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return 'not-found';
        if (error instanceof ConfigError && repeat.pattern !== undefined) return 'invalid-schedule';
        throw error;
      }
    });
  }

  runJobSchedulerNow(id: string): Promise<BoardJob | 'not-found'> {
    return answering(async () => {
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
    return (await this.#read(async () => this.#limits.getGlobalConcurrency?.())) ?? null;
  }

  /** @param concurrency 0 = no limit */
  setGlobalConcurrency(concurrency: number): Promise<void> {
    return answering(async () => {
      const queue = this.#limits;
      if (!queue.setGlobalConcurrency || !queue.removeGlobalConcurrency) {
        throw new BoardError(
          400,
          'This queue has no global concurrency. Set the concurrency of its workers.',
        );
      }
      if (concurrency > 0) await queue.setGlobalConcurrency(concurrency);
      else await queue.removeGlobalConcurrency();
    });
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

  /** The newest first. A page in the second half of a stream is read from its other end, so that the last page is soon there. */
  async #list(statuses: JobStatus[], start: number, end: number): Promise<Job[]> {
    const [status, ...others] = statuses;
    const isStream = others.length === 0 && (status === 'waiting' || status === 'failed');
    if (isStream && start > 0 && end >= start) {
      const { waiting, deadLetters } = await this.#queue.readTotals();
      const total = status === 'waiting' ? waiting : deadLetters;
      if (start > total / 2) {
        if (start >= total) return [];
        const jobs = await this.#queue.getJobs(status, Math.max(0, total - 1 - end), total - 1 - start, true);
        return jobs.reverse();
      }
    }
    return this.#queue.getJobs(statuses, start, end);
  }

  get #limits(): GlobalLimits {
    return this.#queue;
  }

  /** The board asks for counts, the pause and the number of schedules at once, and one call answers all of them. */
  #readTotals(): Promise<JobTotals> {
    if (this.#totals) return this.#totals;
    const totals = this.#read(() => this.#queue.readTotals());
    this.#totals = totals;
    const forget = (): void => {
      if (this.#totals === totals) this.#totals = undefined;
    };
    totals.then(forget, forget);
    return totals;
  }

  /** Reads, or says soon why that does not work. While the connection is down, nothing waits for it. */
  #read<T>(call: () => Promise<T>, ms = READ_MS): Promise<T> {
    return answering(async () => {
      const { address, status, lastError } = this.#queue.connectionInfo;
      if (lastError !== undefined && status !== 'ready') {
        throw new ConnectionError(`Redis at ${address} cannot be reached: ${lastError}`);
      }
      const reply = call();
      if (await settlesWithin(reply, ms)) return reply;
      throw new ConnectionError(`Redis at ${address} did not answer within ${String(ms)} ms.`);
    });
  }
}

function toBoardWorker(worker: WorkerInfo): QueueWorker {
  const { id, name, host, pid, concurrency, running, paused, startedAt, lastSeen } = worker;
  const where = host === undefined ? 'a third-party worker' : `${host}, pid ${String(pid)}`;
  const load = concurrency === undefined ? '' : `, runs ${String(running)} of ${String(concurrency)}`;
  const label = name === '' ? null : name;
  return {
    id,
    name: paused ? `${label ?? 'worker'} (paused)` : label,
    addr: `${where}${load}`,
    age: startedAt === undefined ? 0 : Math.max(0, Math.round((lastSeen - startedAt) / 1000)),
  };
}

function toBoardScheduler({
  key,
  name,
  paused,
  pattern,
  every,
  tz,
  limit,
  startDate,
  endDate,
  next,
  iterationCount,
  template,
}: JobSchedulerJson): Omit<AppJobScheduler, 'queueName'> {
  const { data, opts } = template;
  return {
    id: key,
    name: paused ? `${name} (paused)` : name,
    pattern,
    every,
    tz,
    limit,
    startDate,
    endDate,
    next,
    iterationCount,
    template: {
      ...(data !== undefined && { data: shown(data, LIST_CHARACTERS).value }),
      ...(opts && { opts: shown(opts, LIST_CHARACTERS).value as Record<string, unknown> }),
    },
  };
}
