import type { EventEmitter } from 'node:events';
import { inOwnContext } from './own-context.js';
import { printable } from './printable.js';
import { readProperty } from './safe-access.js';
import { stackOf, toError } from './thrown.js';

/**
 * Calls the listeners of an event. If a listener throws or rejects, the error is reported; the caller and the other
 * listeners are not affected.
 */
export function emitTo(
  emitter: EventEmitter,
  event: string,
  args: readonly unknown[],
  report: (error: unknown) => void,
): void {
  for (const listener of emitter.rawListeners(event)) {
    try {
      const result: unknown = inOwnContext(call, listener, emitter, args);
      if (result !== undefined && typeof readProperty(result, 'then') === 'function') {
        new Promise((resolve) => {
          resolve(result);
        }).catch(report);
      }
    } catch (error) {
      report(error);
    }
  }
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- Node's type of a listener
function call(listener: Function, self: unknown, args: readonly unknown[]): unknown {
  return Reflect.apply(listener, self, args);
}

/** Emits `error`. Without a listener, or if a listener fails, it becomes a process warning. Never throws. */
export function reportTo(emitter: EventEmitter, error: unknown): void {
  if (emitter.listenerCount('error') === 0) warn(error);
  else emitTo(emitter, 'error', [toError(error)], warn);
}

/** Emits a process warning. Never throws. */
export function warn(error: unknown): void {
  const warning = toError(error);
  const message = printable(warning.message);
  if (message === warning.message) {
    process.emitWarning(warning);
    return;
  }
  // Node prints the warning unescaped.
  const shown = Object.assign(new Error(message, { cause: warning }), { name: printable(warning.name) });
  shown.stack = stackOf(warning) ?? message;
  process.emitWarning(shown);
}
