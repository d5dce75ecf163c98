import { messageOf, QueueEvents, type QueueEventsOptions } from '../engine/index.js';

/** How the job of a request ended. */
export type Ending =
  | { readonly kind: 'completed' }
  /** Among the dead letters, or cancelled: why, and what the last attempt failed with, where one was made. */
  | { readonly kind: 'dead'; readonly reason: string; readonly detail: string | undefined }
  | { readonly kind: 'closed' };

interface Awaited {
  detail: string | undefined;
  readonly listeners: Set<(ending: Ending) => void>;
}

/** Hears from the queue's events how the jobs of requests end. Subscribes with the first request. */
export class ReplyListener {
  readonly #awaited = new Map<string, Awaited>();
  #events: QueueEvents | undefined;
  #ready: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    private readonly queue: string,
    private readonly options: QueueEventsOptions,
    private readonly onError: (message: string) => void,
  ) {}

  /**
   * Resolves when no later event can be missed. What failed once is tried again by the next caller.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  ready(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#ready ??= this.#subscribe();
    return this.#ready;
  }

  /** Tells once how a job ends; must be called before the job is added. Returns how to stop listening. */
  listen(jobId: string, onEnding: (ending: Ending) => void): () => void {
    const awaited = this.#awaited.get(jobId) ?? { detail: undefined, listeners: new Set() };
    awaited.listeners.add(onEnding);
    this.#awaited.set(jobId, awaited);
    return () => {
      awaited.listeners.delete(onEnding);
      if (awaited.listeners.size === 0 && this.#awaited.get(jobId) === awaited) this.#awaited.delete(jobId);
    };
  }

  /** Ends every wait. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const jobId of [...this.#awaited.keys()]) this.#end(jobId, { kind: 'closed' });
    await this.#events?.close();
  }

  async #subscribe(): Promise<void> {
    const events = new QueueEvents(this.queue, { ...this.options, autorun: false });
    this.#events = events;
    events.on('failed', ({ jobId, failedReason, cancelled = false }) => {
      const awaited = this.#awaited.get(jobId);
      if (cancelled) this.#end(jobId, { kind: 'dead', reason: failedReason, detail: undefined });
      else if (awaited) awaited.detail = failedReason;
    });
    events.on('completed', ({ jobId }) => {
      this.#end(jobId, { kind: 'completed' });
    });
    events.on('dlq', ({ jobId, reason }) => {
      this.#end(jobId, { kind: 'dead', reason, detail: this.#awaited.get(jobId)?.detail });
    });
    events.on('error', (error) => {
      this.onError(messageOf(error));
    });
    // Settles when it is closed; what fails before it is ready, `waitUntilReady` reports.
    events.run().catch(() => undefined);
    try {
      await events.waitUntilReady();
    } catch (error) {
      this.#ready = undefined;
      await events.close();
      throw error;
    }
  }

  #end(jobId: string, ending: Ending): void {
    const listeners = this.#awaited.get(jobId)?.listeners ?? [];
    this.#awaited.delete(jobId);
    for (const listener of [...listeners]) listener(ending);
  }
}
