import { types } from 'node:util';
import { ERROR_CODES } from './error-codes.js';

// Access to values of user code. User code may throw or pass any value: one that is no object, an object that throws on
// every access, an error whose message is not a string. These functions accept every value and never throw.

/** Most prototypes that are followed. A proxy may return another one forever. */
const MAX_PROTOTYPES = 100;

/** Reads a property of any value. Returns undefined if reading throws. */
export function readProperty(value: unknown, key: string): unknown {
  if (!isObject(value)) return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Sets a property of an object, unless user code has frozen it or given it an accessor that throws. */
export function writeProperty<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
  try {
    target[key] = value;
  } catch {
    // User code made it read-only. Nothing here depends on it.
  }
}

/** True for every error, also one of another realm (Jest runs tests in a `vm` context). */
export function isError(value: unknown): value is Error {
  if (!isObject(value)) return false;
  if (types.isNativeError(value)) return true;
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/** True for `UnrecoverableError`, and for any error whose own name, or the name of a base class, is that. */
export function isUnrecoverable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if (readProperty(error, 'name') === 'UnrecoverableError') return true;
  try {
    let proto: unknown = Object.getPrototypeOf(error);
    for (let depth = 0; proto !== null && depth < MAX_PROTOTYPES; depth++) {
      if (readProperty(readProperty(proto, 'constructor'), 'name') === 'UnrecoverableError') return true;
      proto = Object.getPrototypeOf(proto);
    }
  } catch {
    // A proxy may throw instead of returning its prototype.
  }
  return false;
}

/** True for a `RateLimitError`, also of another copy of the package, or from another thread. */
export function isRateLimitError(error: unknown): boolean {
  return (
    readProperty(error, 'name') === 'RateLimitError' || readProperty(error, 'code') === ERROR_CODES.rateLimit
  );
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

export function isArray(value: unknown): value is unknown[] {
  // A revoked proxy throws.
  return attempt(() => Array.isArray(value)) ?? false;
}

/** Returns undefined if `work` throws. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
