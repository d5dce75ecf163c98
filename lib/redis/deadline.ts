import { Timer } from './timer.js';

/**
 * Resolves as `promise` does, or rejects with `error()` if it has not settled after `ms`; 0 = no deadline. ioredis may leave
 * a promise unsettled during an outage, so each call has its own deadline. Waiting does not keep the process alive: the
 * connection does.
 * @param translate turns the reason of a rejection of `promise` into the error to reject with
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
        // After the deadline, nobody hears of the error: thousands of calls may have been given up by then.
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
