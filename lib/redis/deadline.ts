import { Timer } from './timer.js';

/**
 * `promise`, or a rejection with `error()` when it has not settled after `ms`. ioredis may leave a promise unsettled
 * for as long as Redis is away, so every await of ours has a deadline of its own. `ms` 0 = none. Waiting does not keep
 * the process alive: the connection does, for as long as it is wanted.
 * @param translate what a rejection of `promise` becomes
 */
export function withDeadline<T>(
  promise: Promise<T>,
  ms: number,
  error: () => Error,
  translate: (reason: unknown) => Error = toError,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isLate = false;
    const late = (): void => {
      isLate = true;
      reject(error());
    };
    const timer = ms > 0 ? new Timer(ms, late).unref() : undefined;
    promise.then(
      (value) => {
        timer?.clear();
        resolve(value);
      },
      (reason: unknown) => {
        timer?.clear();
        // Thousands of calls may have been given up by then, and nobody hears what became of them.
        if (!isLate) reject(translate(reason));
      },
    );
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** True when `promise` settled (either way) within `ms`. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: Timer | undefined;
  const late = new Promise<false>((resolve) => {
    timer = new Timer(ms, () => {
      resolve(false);
    });
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer?.clear();
  }
}
