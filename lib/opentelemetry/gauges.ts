import { Timer } from '../engine/base/deadline.js';
import type { ObservedQueue, ObservedWorker, QueueGauges } from '../engine/base/telemetry.js';

/** Where the gauges of one queue come from: the queue objects and workers of this process that have it. */
export interface QueueReading {
  readonly queue: string;
  readonly gauges: QueueGauges | undefined;
  /** Undefined if this process has no worker for it. */
  readonly load: { readonly running: number; readonly concurrency: number } | undefined;
}

/** Reads the gauges of all queues of this process at once. */
export class GaugeReader {
  readonly #timeoutMs: number;
  readonly #queues = new Set<ObservedQueue>();
  readonly #workers = new Set<ObservedWorker>();
  /** Readings under way: a queue that does not answer is not asked again. */
  readonly #pending = new Map<ObservedQueue, Promise<QueueGauges | undefined>>();
  #reading: Promise<readonly QueueReading[]> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  addQueue(queue: ObservedQueue): () => void {
    this.#queues.add(queue);
    return () => this.#queues.delete(queue);
  }

  addWorker(worker: ObservedWorker): () => void {
    this.#workers.add(worker);
    return () => this.#workers.delete(worker);
  }

  /** Collections at the same time share a reading. Never rejects, and settles by the deadline. */
  read(): Promise<readonly QueueReading[]> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAll(): Promise<readonly QueueReading[]> {
    let timer: Timer | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = new Timer(this.#timeoutMs, () => {
        resolve(undefined);
      }).unref();
    });
    // All calls leave in this tick.
    const readings = [...this.#sources()].map(async ([queue, sources]) => {
      const asked = sources.map((source) => Promise.race([this.#ask(source), late]));
      return { queue, gauges: sum(await Promise.all(asked)), load: this.#loadOf(queue) };
    });
    try {
      return await Promise.all(readings);
    } finally {
      timer?.clear();
    }
  }

  /** By queue: one source for each address at which it is. Workers first, because they know their group. */
  #sources(): Map<string, readonly ObservedQueue[]> {
    const byQueue = new Map<string, Map<string, ObservedQueue>>();
    for (const source of [...this.#workers, ...this.#queues]) {
      const known = byQueue.get(source.queue) ?? new Map<string, ObservedQueue>();
      byQueue.set(source.queue, known);
      if (!known.has(source.address)) known.set(source.address, source);
    }
    return new Map([...byQueue].map(([queue, sources]) => [queue, [...sources.values()]]));
  }

  #ask(source: ObservedQueue): Promise<QueueGauges | undefined> {
    let pending = this.#pending.get(source);
    if (!pending) {
      pending = ask(source).finally(() => this.#pending.delete(source));
      this.#pending.set(source, pending);
    }
    return pending;
  }

  #loadOf(queue: string): QueueReading['load'] {
    let load: { running: number; concurrency: number } | undefined;
    for (const worker of this.#workers) {
      if (worker.queue !== queue) continue;
      const { running, concurrency } = worker.load();
      load = {
        running: running + (load?.running ?? 0),
        concurrency: concurrency + (load?.concurrency ?? 0),
      };
    }
    return load;
  }
}

/** A failure says what no value says: Redis did not answer. The connection reports it. */
async function ask(source: ObservedQueue): Promise<QueueGauges | undefined> {
  try {
    return await source.gauges();
  } catch {
    return undefined;
  }
}

/** Queues of one name on several servers count as one, as they do in counters. */
function sum(readings: readonly (QueueGauges | undefined)[]): QueueGauges | undefined {
  let total: QueueGauges | undefined;
  for (const gauges of readings) {
    if (!gauges) continue;
    if (!total) {
      total = { ...gauges };
      continue;
    }
    for (const field of [
      'waiting',
      'active',
      'delayed',
      'prioritized',
      'deadLetters',
      'completed',
      'workers',
    ] as const)
      total[field] += gauges[field];
    for (const field of ['oldestWaitingMs', 'overdueMs', 'scheduleLagMs'] as const)
      total[field] = Math.max(total[field], gauges[field]);
    total.isPaused ||= gauges.isPaused;
  }
  return total;
}
