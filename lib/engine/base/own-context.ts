import { AsyncResource } from 'node:async_hooks';

// Jobs and callers share ticks, round trips and loops. Without these contexts, they would see each other's
// AsyncLocalStorage.

const OPTIONS = { requireManualDestroy: true };
/** User code never runs in it: its `enterWith` would affect everything that is created later. */
const root = new AsyncResource('Chasqui', OPTIONS);
const make = (): AsyncResource => new AsyncResource('ChasquiCall', OPTIONS);

/**
 * Calls user code in an async context of its own, which has nothing of the caller's context. Each call gets a new context
 * (about 50 ns): in a shared one, a call would see the `enterWith` of the call before.
 */
export function inOwnContext<Args extends unknown[], Result>(
  call: (...args: Args) => Result,
  ...args: Args
): Result {
  return root.runInAsyncScope(make).runInAsyncScope(call, undefined, ...args);
}

/** Runs work that outlives its caller, outside of the caller's context. */
export function outsideOfContext<Result>(work: () => Result): Result {
  return root.runInAsyncScope(work);
}
