/** The longest time of setTimeout. A longer one fires after 1 ms. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Calls back once, after any time: hours, years, or never (`Infinity`). */
export class Timer {
  #timer: NodeJS.Timeout | undefined;
  #holds = true;

  constructor(ms: number, callback: () => void) {
    this.#start(ms, callback);
  }

  /** The timer no longer keeps the process alive. */
  unref(): this {
    this.#holds = false;
    this.#timer?.unref();
    return this;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(ms: number, callback: () => void): void {
    if (ms === Infinity) return;
    this.#timer =
      ms > LONGEST_MS
        ? setTimeout(() => {
            this.#start(ms - LONGEST_MS, callback);
          }, LONGEST_MS)
        : setTimeout(callback, ms);
    if (!this.#holds) this.#timer.unref();
  }
}

/** Resolves after so many ms. With `unref`, it does not keep the process alive until then. */
export function sleep(ms: number, options: { unref?: boolean } = {}): Promise<void> {
  return new Promise((resolve) => {
    const timer = new Timer(ms, resolve);
    if (options.unref) timer.unref();
  });
}

const TIME = /(Timeout|Interval|Time)$|^keepAlive$|^retryDelay/;
const STRATEGY = /^(clusterNodeRetry|sentinelRetry|sentinelReconnect)Strategy$/;

/** Options of ioredis, with times cut to what setTimeout accepts: ioredis passes them on as they are. */
export function boundTimes<T extends object>(options: T): T {
  const bound = (value: unknown): unknown =>
    typeof value === 'number' && value > LONGEST_MS ? LONGEST_MS : value;
  const bounded = { ...options } as Record<string, unknown>;
  for (const [key, value] of Object.entries(bounded)) {
    if (TIME.test(key)) bounded[key] = bound(value);
    if (key === 'redisOptions' && typeof value === 'object' && value !== null)
      bounded[key] = boundTimes(value);
    if (STRATEGY.test(key) && typeof value === 'function') {
      const strategy = value as (...args: unknown[]) => unknown;
      bounded[key] = (...args: unknown[]) => bound(strategy(...args));
    }
  }
  return bounded as T;
}
