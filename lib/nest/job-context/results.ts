import { isObservable, lastValueFrom } from 'rxjs';
import { isError } from '../../engine/base/errors.js';

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** A native promise for a thenable of any library: it calls back later, and once. */
export function promiseOf(thenable: PromiseLike<unknown>): Promise<unknown> {
  return thenable instanceof Promise ? thenable : Promise.resolve(thenable);
}

/**
 * The result of a handler. An Observable, or a promise of one, becomes a promise of its last value. An error that is
 * returned is thrown, so interceptors and exception filters see it.
 */
export function flatten(result: unknown): unknown {
  return isPromise(result) ? promiseOf(result).then(settled) : settled(result);
}

function settled(result: unknown): unknown {
  return isObservable(result)
    ? lastValueFrom(result, { defaultValue: undefined }).then(throwIfError)
    : throwIfError(result);
}

/** Throws an error that a handler or an interceptor has returned. Returns any other value. */
export function throwIfError(value: unknown): unknown {
  if (isError(value)) throw value;
  return value;
}

/** An Observable without a value means that the handler has no result. It is not an error. */
export function lastValue(result: unknown): unknown {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}
