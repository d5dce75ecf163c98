import { ERROR_CODES } from './error-codes.js';
import { ChasquiError } from './errors.js';

/** How a thread ended: `process.exit`, an exhausted heap, or an error that nothing has caught. */
export type ThreadExitReason = 'exit' | 'heap' | 'uncaught';

/** The thread of a handler has ended before the handler. The attempt has failed, and another thread takes its place. */
export class ThreadExitError extends ChasquiError {
  readonly code = ERROR_CODES.threadExit;

  constructor(
    message: string,
    readonly reason: ThreadExitReason,
    /** Only for the reason `exit`. */
    readonly exitCode: number | undefined,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** A thread cannot start: its file, the module in it, or a hook of that module fails. No job has run in it. */
export class ThreadBootError extends ChasquiError {
  readonly code = ERROR_CODES.threadBoot;
}
