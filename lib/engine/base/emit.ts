import type { EventEmitter } from 'node:events';
import { inOwnContext } from './own-context.js';
import { printable } from './printable.js';
import { read, stackOf, toError } from './thrown.js';

/**
 * Calls the listeners of an event. What one of them throws, or rejects with, is reported, and harms neither its caller
 * nor the other listeners.
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
      if (result !== undefined && typeof read(result, 'then') === 'function') {
        new Promise((resolve) => {
          resolve(result);
        }).catch(report);
      }
    } catch (error) {
      report(error);
    }
  }
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- what Node's types call a listener
function call(listener: Function, self: unknown, args: readonly unknown[]): unknown {
  return Reflect.apply(listener, self, args);
}

/** Emits `error`; a process warning where nobody listens for it, or a listener fails with it. Never throws. */
export function reportTo(emitter: EventEmitter, error: unknown): void {
  if (emitter.listenerCount('error') === 0) warn(error);
  else emitTo(emitter, 'error', [toError(error)], warn);
}

/** A process warning. Never throws. */
export function warn(error: unknown): void {
  const warning = toError(error);
  const message = printable(warning.message);
  if (message === warning.message) {
    process.emitWarning(warning);
    return;
  }
  // Node prints it as it is.
  const shown = Object.assign(new Error(message, { cause: warning }), { name: printable(warning.name) });
  shown.stack = stackOf(warning) ?? message;
  process.emitWarning(shown);
}
