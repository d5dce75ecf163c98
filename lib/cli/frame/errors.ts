import { printable } from '../../engine/base/printable.js';
import { isError } from '../../engine/base/safe-access.js';
import { messageOf } from '../../engine/base/thrown.js';
import { EXIT } from './exit-codes.js';

/** An error of the CLI itself, with the code of its exit. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly exitCode: number,
    message: string,
    /** What to do about it. */
    readonly hint?: string,
    /** `CMQ-nnn`, if the engine has an error for it. */
    readonly code?: string,
  ) {
    super(message);
  }
}

/** A wrong option or argument. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(EXIT.usage, message, hint);
}

export function notFound(code: string | undefined, message: string, hint?: string): CliError {
  return new CliError(EXIT.notFound, message, hint, code);
}

export function refused(message: string, hint?: string): CliError {
  return new CliError(EXIT.refused, message, hint);
}

/** Ctrl-C or a signal that ends the process. It is the reason of the context's signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly exitCode: number = EXIT.interrupted) {
    super('Interrupted.');
  }
}

/** An error as the CLI reports it. */
export interface Report {
  readonly exitCode: number;
  /** `CMQ-nnn`, where the error has one. */
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
}

/** Exit codes of the engine's errors. All others end with {@link EXIT.error}. */
const BY_CODE: Readonly<Record<string, number>> = {
  'CMQ-001': EXIT.connection,
  'CMQ-002': EXIT.usage,
  'CMQ-004': EXIT.usage,
  'CMQ-006': EXIT.refused,
  'CMQ-023': EXIT.usage,
  'CMQ-106': EXIT.notFound,
  'CMQ-107': EXIT.refused,
  'CMQ-108': EXIT.refused,
  'CMQ-109': EXIT.refused,
  'CMQ-110': EXIT.notFound,
  'CMQ-111': EXIT.notFound,
};

export function reportOf(error: unknown): Report {
  const message = printable(messageOf(error));
  if (error instanceof CliError) {
    const { exitCode, hint, code: ofEngine } = error;
    return {
      exitCode,
      ...(ofEngine !== undefined && { code: ofEngine }),
      message,
      ...(hint !== undefined && { hint }),
    };
  }
  if (error instanceof Interrupted) return { exitCode: error.exitCode, message };
  const { code } = (isError(error) ? error : {}) as { code?: unknown };
  if (typeof code !== 'string') return { exitCode: EXIT.error, message };
  return { exitCode: BY_CODE[code] ?? EXIT.error, code, message };
}
