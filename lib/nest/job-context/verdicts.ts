import { HttpException } from '@nestjs/common';
import { messageOf } from '../../engine/base/errors.js';
import { JobRefusedError, PayloadRejectedError } from '../errors.js';
import type { SourceLocation } from '../source-location.js';
import { isPromise } from './results.js';

export type Judge = 'guard' | 'pipe';

/** The 4xx statuses that are temporary: a retry may help. */
const TEMPORARY = new Set([408, 409, 423, 424, 425, 429]);

/**
 * Remembers which errors came from guards and pipes. A retry cannot change a refusal, so the error becomes unrecoverable.
 * The same exception thrown by the handler itself is an ordinary error. The translation happens after the exception
 * filters, so they see the error that was thrown.
 */
export class Verdicts {
  readonly #judges = new WeakMap<object, Judge>();

  /** Runs a step of guards or pipes, and remembers the error that it throws. */
  of(judge: Judge, step: () => unknown): unknown {
    try {
      const result = step();
      return isPromise(result)
        ? result.then(undefined, (error: unknown) => this.remember(judge, error))
        : result;
    } catch (error) {
      return this.remember(judge, error);
    }
  }

  private remember(judge: Judge, error: unknown): never {
    if (typeof error === 'object' && error !== null) this.#judges.set(error, judge);
    throw error;
  }

  /** The error that the engine gets. */
  translate(error: unknown, location: SourceLocation): unknown {
    try {
      return this.translated(error, location);
    } catch {
      // The value throws when its properties are read. The engine can deal with it.
      return error;
    }
  }

  private translated(error: unknown, location: SourceLocation): unknown {
    if (!(error instanceof HttpException) || !isFinal(error)) return error;
    switch (this.#judges.get(error)) {
      case 'guard':
        return new JobRefusedError(location, { cause: error });
      case 'pipe':
        return new PayloadRejectedError(location, violationsOf(error), { cause: error });
      case undefined:
        return error;
    }
  }
}

function isFinal(error: HttpException): boolean {
  const status = error.getStatus();
  return status >= 400 && status < 500 && !TEMPORARY.has(status);
}

/** The list of violations in the response of a `ValidationPipe`, or else the message. */
function violationsOf(error: HttpException): readonly string[] {
  const response = error.getResponse();
  const message = typeof response === 'object' ? (response as { message?: unknown }).message : response;
  if (Array.isArray(message) && message.length > 0) return message.map(textOf);
  return [typeof message === 'string' && message !== '' ? message : messageOf(error)];
}

function textOf(violation: unknown): string {
  return typeof violation === 'string' ? violation : (JSON.stringify(violation) ?? String(violation));
}
