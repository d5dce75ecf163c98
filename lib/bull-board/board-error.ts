import {
  ConnectionError,
  JobNotFoundError,
  JobsActiveError,
  JobStateError,
  messageOf,
  PayloadTooLargeError,
  GroupFullError,
  QueueFullError,
  ScheduleNotFoundError,
  ShutdownError,
} from '../engine/index.js';

/** What Bull Board looks for in an error: the HTTP status of the answer. */
export class BoardError extends Error {
  override readonly name = 'BoardError';

  constructor(
    readonly statusCode: number,
    message: string,
    options?: { cause?: unknown },
    /** The headline of the message, if that of the status does not fit: a key of the board, or text. */
    readonly title?: string,
  ) {
    super(message, options);
  }
}

/** The text by which the board knows that it may offer to force an obliterate. */
const HAS_ACTIVE_JOBS = 'Cannot obliterate queue with active jobs';

/** The error that the board answers with, for any error of a queue. */
export function toBoardError(error: unknown): BoardError {
  if (error instanceof BoardError) return error;
  if (error instanceof JobsActiveError) return new BoardError(409, HAS_ACTIVE_JOBS, { cause: error });
  const title = error instanceof ScheduleNotFoundError ? 'ERRORS.JOB_SCHEDULER_NOT_FOUND' : undefined;
  return new BoardError(statusOf(error), messageOf(error), { cause: error }, title);
}

function statusOf(error: unknown): number {
  if (error instanceof ConnectionError || error instanceof ShutdownError) return 503;
  if (error instanceof JobNotFoundError || error instanceof ScheduleNotFoundError) return 404;
  if (error instanceof JobStateError || error instanceof QueueFullError) return 409;
  if (error instanceof GroupFullError) return 409;
  if (error instanceof PayloadTooLargeError) return 413;
  const { code } = error as { code?: unknown };
  // The engine's other coded errors refuse what the board was asked for: an option, an id, data.
  return typeof code === 'string' && code.startsWith('CMQ-') ? 400 : 500;
}

/** Runs a call of the board. Its error says what to answer with. */
export async function answering<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toBoardError(error);
  }
}
