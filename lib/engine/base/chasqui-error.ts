import { ERROR_CODES } from './error-codes.js';
import { printable } from './printable.js';

/** Every error that this package throws. */
export interface CodedError extends Error {
  /** Stable, of the form `CMQ-nnn`: safe to search for and to branch on. */
  readonly code: string;
}

/** Base class of the engine's errors; `instanceof ChasquiError` covers all but ConfigRangeError and ConfigTypeError. */
export abstract class ChasquiError extends Error implements CodedError {
  abstract readonly code: string;

  /** The message is escaped: ids, names and data of jobs in it must not forge a line of a log. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(isUserDefined(new.target) ? message : printable(message), options);
    this.name = new.target.name;
  }
}

/** Users throw UnrecoverableErrors, so their messages stay as they are. */
function isUserDefined(target: abstract new (...args: never[]) => ChasquiError): boolean {
  return target === UnrecoverableError || target.prototype instanceof UnrecoverableError;
}

/** A handler throws it, or an error of this `name` or of a subclass, to dead-letter the job without a retry. */
export class UnrecoverableError extends ChasquiError {
  readonly code: string = ERROR_CODES.unrecoverable;

  constructor(message = 'Unrecoverable', options?: { cause?: unknown }) {
    super(message, options);
  }
}
