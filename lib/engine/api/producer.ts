import { cancelDelayed } from '../admin/cancel.js';
import { callbackObserver } from '../connection/observe.js';
import { checkConnection } from '../config/read-connection.js';
import { peekDlq } from '../admin/look/dlq-pages.js';
import { replayDlq } from '../admin/dlq.js';
import type { DlqEntry } from '../admin/dlq.js';
import type { NewJob } from '../enqueue/new-job.js';
import { ConfigError } from '../base/errors.js';
import { toNewJob } from '../enqueue/new-job.js';
import type { AddOptions, Connection, JobsOptions, ProducerConfig } from '../config/options.js';
import { ProducerCore } from './producer-core.js';
import { readSchedules } from '../timers/repeat/schedules.js';
import type { RepeatableMeta, RepeatableSpec } from '../timers/repeat/stored-schedule.js';
import { addSchema } from '../config/options/job.js';
import { producerSchema } from '../config/options/queue.js';
import { specSchema } from '../timers/repeat/repeatable-spec.js';
import {
  checkDelay,
  checkJobId,
  checkJobName,
  checkLimit,
  checkList,
  checkQueueName,
  checkText,
  toTime,
} from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';

/** A point in time: a Date, or unix ms. */
export type RunAt = Date | number;

/** `[dispatch name, payload]` */
export type NamedPayload<T> = readonly [name: string, payload: T];

/**
 * A queue's producing side that takes payloads and returns ids; `Queue` offers the same with job objects. Every method
 * throws the errors of `Queue.add`.
 */
export class Producer<T = unknown> implements AsyncDisposable {
  readonly #core: ProducerCore;

  private constructor(core: ProducerCore) {
    this.#core = core;
  }

  /**
   * Connects, and checks that the server answers and is new enough.
   * @throws ConfigError (CMQ-004), ConnectionError (CMQ-001)
   */
  static async connect<T = unknown>(
    connection: Connection,
    config: ProducerConfig = {},
  ): Promise<Producer<T>> {
    const {
      queueName = 'default',
      poolSize: _poolSize,
      ...options
    } = checkOptions('Producer', producerSchema, config);
    checkQueueName(queueName);
    checkConnection(`Producer "${queueName}"`, connection);
    const core = new ProducerCore(queueName, { ...options, connection }, callbackObserver(undefined));
    try {
      await core.ready();
    } catch (error) {
      await core.close();
      throw error;
    }
    return new Producer<T>(core);
  }

  add(payload: T): Promise<string> {
    return this.addWithOptions(payload, {});
  }

  addWithId(id: string, payload: T): Promise<string> {
    return this.addWithOptions(payload, { id });
  }

  async addWithOptions(payload: T, options: AddOptions): Promise<string> {
    return this.#one([this.#job(payload, options)]);
  }

  addBulk(payloads: readonly T[]): Promise<string[]> {
    return this.addBulkWithOptions(payloads, {});
  }

  /** All payloads get the same options. An `id` is allowed for one payload only. */
  async addBulkWithOptions(payloads: readonly T[], options: AddOptions): Promise<string[]> {
    checkList('addBulk: the payloads', payloads);
    const { id } = checkOptions('add options', addSchema, options);
    if (id !== undefined && payloads.length > 1) {
      throw new ConfigError(
        `addBulkWithOptions: one "id" cannot serve ${String(payloads.length)} payloads. Use addWithId, or addInBulkWithIds.`,
      );
    }
    return this.#all(payloads.map((payload) => this.#job(payload, options)));
  }

  async addBulkNamed(items: readonly NamedPayload<T>[]): Promise<string[]> {
    checkPairs('addBulkNamed', '[name, payload]', items);
    for (const [name] of items) checkJobName(name);
    return this.#all(items.map(([name, payload]) => this.#job(payload, { name })));
  }

  /** @param delayMs from now, by Redis's clock */
  addIn(delayMs: number, payload: T): Promise<string> {
    return this.addInWithOptions(delayMs, payload, {});
  }

  addAt(runAt: RunAt, payload: T): Promise<string> {
    return this.addAtWithOptions(runAt, payload, {});
  }

  async addInBulk(delayMs: number, payloads: readonly T[]): Promise<string[]> {
    checkList('addInBulk: the payloads', payloads);
    return this.#all(payloads.map((payload) => this.#job(payload, {}, delayMs)));
  }

  async addInWithOptions(delayMs: number, payload: T, options: AddOptions): Promise<string> {
    return this.#one([this.#job(payload, options, delayMs)]);
  }

  async addAtWithOptions(runAt: RunAt, payload: T, options: AddOptions): Promise<string> {
    const runAtMs = toTime('addAt: the time', runAt);
    checkDelay(Math.max(0, runAtMs - Date.now()), this.#core.limits.maxDelayMs);
    return this.#one([{ ...this.#job(payload, options), runAtMs }]);
  }

  addInWithId(id: string, delayMs: number, payload: T): Promise<string> {
    return this.addInWithOptions(delayMs, payload, { id });
  }

  addAtWithId(id: string, runAt: RunAt, payload: T): Promise<string> {
    return this.addAtWithOptions(runAt, payload, { id });
  }

  async addInBulkWithIds(
    delayMs: number,
    items: readonly (readonly [id: string, payload: T])[],
  ): Promise<string[]> {
    checkPairs('addInBulkWithIds', '[id, payload]', items);
    return this.#all(items.map(([id, payload]) => this.#job(payload, { id }, delayMs)));
  }

  /** True if the job was still delayed, or waiting for a retry. It never runs then. */
  async cancelDelayed(id: string): Promise<boolean> {
    checkJobId(id);
    const [cancelled = false] = await this.cancelDelayedBulk([id]);
    return cancelled;
  }

  async cancelDelayedBulk(ids: readonly string[]): Promise<boolean[]> {
    checkIds('cancelDelayedBulk', ids);
    return this.#core.use((link, keys) => cancelDelayed(link, keys, ids, this.#core.eventsCap));
  }

  /** Reads up to `limit` dead letters, oldest first, and does not move them. */
  async peekDlq(limit: number): Promise<DlqEntry[]> {
    checkLimit(limit);
    return this.#core.use((link, keys) => peekDlq(link, keys, limit));
  }

  /** Moves up to `limit` dead letters back to the work stream, with all attempts available again. Resolves with how many. */
  async replayDlq(limit: number): Promise<number> {
    checkLimit(limit);
    return this.#core.use((link, keys) =>
      replayDlq(link, keys, {}, { limit, eventsCap: this.#core.eventsCap }),
    );
  }

  /** Declares a schedule. An unchanged one stays as it is. Resolves with its key. */
  async upsertRepeatable(spec: RepeatableSpec<T>): Promise<string> {
    const checked = checkOptions<RepeatableSpec>('upsertRepeatable', specSchema, spec, [
      'jobName',
      'pattern',
    ]);
    const { key } = await this.#core.use(() => this.#core.declared.declare(checked));
    return key;
  }

  /** Up to `limit` schedules without their payloads, ordered by their next fire. */
  async listRepeatable(limit: number): Promise<RepeatableMeta[]> {
    checkLimit(limit);
    return this.#core.use((link, keys) => readSchedules(link, keys, limit));
  }

  async removeRepeatable(key: string): Promise<boolean> {
    checkText('removeRepeatable: the key', key);
    return this.#core.use(() => this.#core.declared.remove(key));
  }

  /** MessagePack of the stored return value; undefined if nothing is stored. */
  async getResult(id: string): Promise<Buffer | undefined> {
    checkJobId(id);
    const [result] = await this.getResultBulk([id]);
    return result;
  }

  async getResultBulk(ids: readonly string[]): Promise<(Buffer | undefined)[]> {
    checkIds('getResultBulk', ids);
    return this.#core.use(() => this.#core.results.getBytes(ids));
  }

  /** Identifies the calls of this producer in Redis. */
  get producerId(): string {
    return this.#core.producerId;
  }

  get streamKey(): string {
    return this.#core.keys.stream;
  }

  get delayedKey(): string {
    return this.#core.keys.delayed;
  }

  get dlqKey(): string {
    return this.#core.keys.dlq;
  }

  /** Waits for calls in flight, then releases the connection. Idempotent. */
  close(): Promise<void> {
    return this.#core.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #job(payload: T, given: AddOptions, delayMs?: number): NewJob {
    const { id, retry, deduplication, name = '' } = checkOptions('add options', addSchema, given);
    const options: JobsOptions = {};
    if (id !== undefined) options.jobId = id;
    if (deduplication !== undefined) options.deduplication = deduplication;
    if (retry?.maxAttempts !== undefined) options.attempts = retry.maxAttempts;
    if (retry?.backoff !== undefined) options.backoff = retry.backoff;
    if (delayMs !== undefined) options.delay = delayMs;
    return toNewJob(name, payload, options, this.#core.limits);
  }

  async #one(jobs: readonly [NewJob]): Promise<string> {
    const duplicates = await this.#core.enqueue(jobs);
    return duplicates.get(0) ?? jobs[0].id;
  }

  async #all(jobs: readonly NewJob[]): Promise<string[]> {
    const duplicates = await this.#core.enqueue(jobs);
    return jobs.map(({ id }, index) => duplicates.get(index) ?? id);
  }
}

function checkIds(method: string, ids: unknown): void {
  checkList(`${method}: the ids`, ids);
  for (const id of ids) checkJobId(id);
}

function checkPairs(method: string, pair: string, items: unknown): void {
  checkList(`${method}: the items`, items);
  for (const item of items) checkList(`${method}: each item, ${pair},`, item);
}
