import { AsyncResource } from 'node:async_hooks';

// Jobs and callers share ticks, round trips and loops; without this, what one of them puts into an AsyncLocalStorage
// would be seen by the others.

const OPTIONS = { requireManualDestroy: true };
/** No code of a user's runs in it: `enterWith` there would reach everything that is made later. */
const root = new AsyncResource('Chasqui', OPTIONS);
const make = (): AsyncResource => new AsyncResource('ChasquiCall', OPTIONS);

/**
 * Calls code of the user's in an async context of its own, which holds nothing of whoever happens to call. It costs
 * about 50 ns; a context that is kept for several calls would let `enterWith` of one be seen by the next.
 */
export function inOwnContext<Args extends unknown[], Result>(
  call: (...args: Args) => Result,
  ...args: Args
): Result {
  return root.runInAsyncScope(make).runInAsyncScope(call, undefined, ...args);
}

/** Starts something of ours that outlives its caller, outside of the caller's context. */
export function outsideOfContext<Result>(work: () => Result): Result {
  return root.runInAsyncScope(work);
}
