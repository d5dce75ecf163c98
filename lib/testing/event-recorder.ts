import { Timer } from '../engine/base/deadline.js';
import { Queue, QueueEvents, type QueueEventsMap } from '../engine/index.js';

/** The events of a queue that a recorder keeps, without `retries-exhausted`, which always comes with `dlq`. */
export type RecordedName = Exclude<
  keyof QueueEventsMap,
  'error' | 'reconnected' | 'warning' | 'unknown' | 'retries-exhausted'
>;

/** The data of an event. `drained` has none. */
export type RecordedData<Name extends RecordedName> = Name extends 'drained'
  ? object
  : QueueEventsMap[Name][0];

/** One event of a queue. */
export type RecordedEvent<Name extends RecordedName = RecordedName> = {
  [N in Name]: { readonly event: N; readonly data: RecordedData<N>; readonly eventId: string };
}[Name];

export interface WaitOptions {
  /** How long to wait before the call fails, in ms. Default 10,000. */
  readonly timeoutMs?: number;
}

export const WAIT_MS = 10_000;

const NAMES = Object.keys({
  waiting: true,
  delayed: true,
  active: true,
  completed: true,
  failed: true,
  'retry-scheduled': true,
  dlq: true,
  stalled: true,
  deduplicated: true,
  paused: true,
  resumed: true,
  drained: true,
  removed: true,
  cleaned: true,
  progress: true,
  log: true,
} satisfies Record<RecordedName, true>) as RecordedName[];

/**
 * Keeps the events of a queue from all processes, in the order in which they happened. If a job ends in the tick in which
 * it starts, there is an `active` event only if it completes.
 */
export class EventRecorder implements AsyncDisposable {
  readonly all: RecordedEvent[] = [];
  readonly #events: QueueEvents;
  readonly #own: boolean;
  readonly #changed = new Set<() => void>();
  readonly #detach: (() => void)[] = [];
  #lastError: Error | undefined;

  /** Use `recordEvents`. */
  constructor(events: QueueEvents, own: boolean) {
    this.#events = events;
    this.#own = own;
    for (const name of NAMES) this.#listen(name);
    const onError = (error: Error): void => {
      this.#lastError = error;
    };
    events.on('error', onError);
    this.#detach.push(() => events.off('error', onError));
  }

  /** The data of all recorded events with this name. */
  of<Name extends RecordedName>(name: Name): RecordedData<Name>[] {
    return this.all.filter(({ event }) => event === name).map(({ data }) => data as RecordedData<Name>);
  }

  /** The names of the events of one job, in order. */
  namesOf(jobId: string): RecordedName[] {
    return this.all.filter((event) => jobIdOf(event) === jobId).map(({ event }) => event);
  }

  /**
   * Resolves with the first event with this name that the predicate accepts, recorded already or still to come.
   * @throws Error after the timeout; the message lists the recorded events
   */
  async waitFor<Name extends RecordedName>(
    name: Name,
    accepts: (data: RecordedData<Name>) => boolean = () => true,
    { timeoutMs = WAIT_MS }: WaitOptions = {},
  ): Promise<RecordedData<Name>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.of(name).find(accepts);
      if (found) return found;
      if (!(await this.changed(deadline - performance.now()))) throw this.#late(name, timeoutMs);
    }
  }

  /** Resolves with true at the next event, with false after `ms`. */
  async changed(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (happened: boolean): void => {
        timer.clear();
        this.#changed.delete(onChange);
        resolve(happened);
      };
      const onChange = (): void => {
        settle(true);
      };
      const timer = new Timer(Math.max(0, ms), () => {
        settle(false);
      });
      this.#changed.add(onChange);
    });
  }

  clear(): void {
    this.all.length = 0;
  }

  /** Stops recording. It closes a subscription that it has opened itself, but not a `QueueEvents` that you passed in. */
  async close(): Promise<void> {
    for (const detach of this.#detach.splice(0)) detach();
    if (this.#own) await this.#events.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(name: RecordedName): void {
    const record = (...args: readonly unknown[]): void => {
      const eventId = String(args.at(-1));
      const data = args.length > 1 ? args[0] : {};
      this.all.push({ event: name, data, eventId } as RecordedEvent);
      for (const onChange of this.#changed) onChange();
    };
    this.#events.on(name, record);
    this.#detach.push(() => this.#events.off(name, record));
  }

  #late(name: RecordedName, timeoutMs: number): Error {
    const seen = this.all.slice(-20).map(describe).join(', ');
    return new Error(
      `No matching "${name}" event of queue "${this.#events.name}" within ${timeoutMs} ms. ` +
        `Events so far: ${seen === '' ? 'none' : seen}.`,
      { cause: this.#lastError },
    );
  }
}

/**
 * Starts to record. For a queue, it opens a subscription. When it resolves, no later event is missed.
 *
 * @param options.lastEventId where that subscription starts: `$` (the default) for new events, `0` for all events that
 * Redis keeps
 */
export async function recordEvents(
  source: Queue<never, never, never> | Queue | QueueEvents,
  options: { readonly lastEventId?: string } = {},
): Promise<EventRecorder> {
  if (source instanceof QueueEvents) {
    const recorder = new EventRecorder(source, false);
    await source.waitUntilReady();
    return recorder;
  }
  const events = new QueueEvents(source.name, {
    connection: source.opts.connection,
    autorun: false,
    ...options,
  });
  const recorder = new EventRecorder(events, true);
  // `run` settles when the subscription closes. `waitUntilReady` reports an error before that.
  events.run().catch(() => undefined);
  try {
    await events.waitUntilReady();
  } catch (error) {
    await recorder.close();
    throw error;
  }
  return recorder;
}

interface Details {
  readonly jobId?: string;
  readonly attempt?: number;
  readonly failedReason?: string;
  readonly reason?: string;
}

/** `failed of 01H… (attempt 1: boom)`. */
export function describe(recorded: RecordedEvent): string {
  const { event, data } = recorded as { event: string; data: Details };
  const { jobId, attempt, failedReason, reason } = data;
  const details = [attempt === undefined ? undefined : `attempt ${attempt}`, failedReason ?? reason].filter(
    (detail) => detail !== undefined && detail !== '',
  );
  return `${event}${jobId === undefined ? '' : ` of ${jobId}`}${details.length > 0 ? ` (${details.join(': ')})` : ''}`;
}

export function jobIdOf({ data }: RecordedEvent): string | undefined {
  return 'jobId' in data ? data.jobId : undefined;
}
