import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../../lib/engine/index.js';
import type {
  JobsOptions,
  Processor,
  QueueEventsMap,
  QueueEventsOptions,
  QueueOptions,
  WorkerEventsMap,
  WorkerOptions,
} from '../../../lib/engine/index.js';
import { queueKeys } from '../../../lib/redis/keys.js';
import { useRedis } from '../../support/redis.js';
import type { TestRedis, UseRedisOptions } from '../../support/redis.js';

export const NAME = 'mail';
export const KEYS = queueKeys(NAME);

/** No event of these tests takes longer than this; a test that waits for one that never comes fails by it. */
const WAIT_MS = 8_000;

type Optional<T extends { connection: unknown }> = Omit<T, 'connection'> & Partial<Pick<T, 'connection'>>;

/** What a contract test works with: it makes queues and workers, and closes them after the test. */
export interface Kit extends TestRedis {
  queue(options?: Partial<QueueOptions>, name?: string): Queue;
  worker(processor: Processor, options?: Optional<WorkerOptions>, name?: string): Worker;
  /** Listening when it resolves. */
  events(options?: Partial<QueueEventsOptions>, name?: string): Promise<QueueEvents>;
  /** Errors that workers reported; a test that expects some empties it, any that are left fail the test. */
  readonly errors: Error[];
  /** Everything in Redis but the numbering of calls and the reports of workers: key → bytes. */
  snapshot(): Promise<Record<string, string>>;
  /** Names of the keys in Redis, without those two. */
  keys(): Promise<string[]>;
}

/** Retries at once, so that tests need not wait. */
export const QUICK = { retry: { initialBackoffMs: 1, jitterMs: 0 } } as const;

export function useKit(options: UseRedisOptions = {}): Kit {
  const redis = useRedis(options);
  let open: { close: () => Promise<unknown> }[] = [];
  const errors: Error[] = [];

  beforeEach(() => {
    errors.length = 0;
  });

  afterEach(async () => {
    const closing = open;
    open = [];
    await Promise.all(closing.map((one) => one.close()));
    expect(errors.map(String), 'errors that workers reported').toEqual([]);
  });

  const keep = <T extends { close: () => Promise<unknown> }>(one: T): T => {
    open.push(one);
    return one;
  };

  const kit: Omit<Kit, keyof TestRedis> = {
    errors,
    queue: (given = {}, name = NAME) =>
      keep(new Queue(name, { connection: { ...redis.connection }, ...given })),
    worker: (processor, given = {}, name = NAME) => {
      const worker = keep(
        new Worker(name, processor, { connection: { ...redis.connection }, ...QUICK, ...given }),
      );
      worker.on('error', (error) => errors.push(error));
      return worker;
    },
    events: async (given = {}, name = NAME) => {
      const events = keep(new QueueEvents(name, { connection: { ...redis.connection }, ...given }));
      events.on('error', (error) => errors.push(error));
      await events.waitUntilReady();
      return events;
    },
    keys: async () => (await redis.client.keys('*')).filter((key) => !/}:(calls|worker):/.test(key)).sort(),
    snapshot: async () => {
      const all: Record<string, string> = {};
      for (const key of await kit.keys()) all[key] = (await redis.client.dumpBuffer(key)).toString('hex');
      return all;
    },
  };
  return Object.defineProperties(redis, Object.getOwnPropertyDescriptors(kit)) as Kit;
}

/** The arguments of the next `event`. */
export function next<E extends keyof WorkerEventsMap>(worker: Worker, event: E): Promise<WorkerEventsMap[E]>;
export function next<E extends keyof QueueEventsMap>(
  events: QueueEvents,
  event: E,
): Promise<QueueEventsMap[E]>;
export function next(emitter: Worker | QueueEvents, event: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const from = emitter as EventEmitter;
    const listener = (...args: unknown[]): void => {
      clearTimeout(timer);
      resolve(args);
    };
    const timer = setTimeout(() => {
      from.off(event, listener);
      reject(new Error(`No "${event}" event came in ${WAIT_MS} ms`));
    }, WAIT_MS);
    from.once(event, listener);
  });
}

/** The first arguments of the next `count` events. */
export function take<E extends keyof WorkerEventsMap>(
  worker: Worker,
  event: E,
  count: number,
): Promise<WorkerEventsMap[E][0][]>;
export function take<E extends keyof QueueEventsMap>(
  events: QueueEvents,
  event: E,
  count: number,
): Promise<QueueEventsMap[E][0][]>;
export async function take(emitter: Worker | QueueEvents, event: string, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  const from = emitter as EventEmitter;
  const enough = new EventEmitter();
  const listener = (first: unknown): void => {
    taken.push(first);
    if (taken.length === count) enough.emit('enough');
  };
  from.on(event, listener);
  try {
    await once(enough, 'enough', { signal: AbortSignal.timeout(WAIT_MS) });
  } catch {
    throw new Error(`${taken.length} of ${count} "${event}" events came in ${WAIT_MS} ms`);
  } finally {
    from.off(event, listener);
  }
  // More may have come in the tick of the last one.
  return taken.slice(0, count);
}

/** Resolves when `check` does not throw any more; for states of Redis that no event tells of. */
export async function eventually<T>(check: () => Promise<T> | T, ms = WAIT_MS): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(10);
    }
  }
}

/** Adds a job that fails its only attempt, and resolves when it is a dead letter. */
export async function addDeadLetter(kit: Kit, options: JobsOptions): Promise<void> {
  const worker = kit.worker(
    () => {
      throw new Error('x');
    },
    { maxAttempts: 1 },
  );
  const failed = next(worker, 'failed');
  await kit.queue().add('a', 1, options);
  await failed;
  await worker.close();
}

/** Something a handler waits for, until the test lets it go. */
export class Latch {
  #open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.#open();
  }
}

/** What a rejected call was rejected with. */
export async function rejection(call: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error('The call was not rejected');
}

/** Pairs of a stream entry as an object of text. */
export function fields(flat: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) object[flat[i]!] = flat[i + 1]!;
  return object;
}

export const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
