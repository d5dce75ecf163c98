import { isObservable, lastValueFrom } from 'rxjs';

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** A promise that calls back later and once, whatever the library is that made the thenable. */
export function promiseOf(thenable: PromiseLike<unknown>): Promise<unknown> {
  return thenable instanceof Promise ? thenable : Promise.resolve(thenable);
}

/** What a handler returned: the last value of an Observable, whether it is there or comes by a promise. */
export function flatten(result: unknown): unknown {
  return isPromise(result) ? promiseOf(result).then(lastValue) : lastValue(result);
}

/** An Observable without a value means a handler without a result, not an error. */
export function lastValue(result: unknown): unknown {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}
