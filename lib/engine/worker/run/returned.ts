import { ConfigTypeError, isError } from '../../base/errors.js';

/** What an object may have that is lazy: it does its work when somebody asks for its values. */
interface Lazy {
  readonly next?: unknown;
  readonly subscribe?: unknown;
  readonly pipe?: unknown;
}

/**
 * The error that a handler reports by what it returns; undefined where that is a result. A handler that returns an
 * error has failed, as with exception filters. An iterator or an Observable does its work only when it is read, and
 * the worker does not read it.
 */
export function errorIn(value: unknown): Error | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    if (isError(value)) return value;
    const { next, subscribe, pipe } = value as Lazy;
    if (typeof next === 'function' && (Symbol.asyncIterator in value || Symbol.iterator in value)) {
      return unrun('an iterator', 'Collect its values, and return those.');
    }
    if (typeof subscribe === 'function' && typeof pipe === 'function') {
      return unrun('an Observable', 'Return `lastValueFrom(observable)`.');
    }
  } catch {
    // A proxy, or a getter that throws: whatever it is, it was returned.
  }
  return undefined;
}

function unrun(what: string, fix: string): ConfigTypeError {
  return new ConfigTypeError(`The handler returned ${what}, so its work has not been done. ${fix}`);
}
