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
    const timer = ms > 0 ? setTimeout(late, ms).unref() : undefined;
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (reason: unknown) => {
        clearTimeout(timer);
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
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
