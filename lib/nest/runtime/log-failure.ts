import type { Logger } from '@nestjs/common';
import { JobCancelledError, type Job } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { readProperty } from '../../engine/base/safe-access.js';
import { detailOf, messageOf, stackOf } from '../../engine/base/thrown.js';

/**
 * Logs a failed attempt: a dead letter as an error with its stack, a retry as a warning. A job that somebody cancelled is
 * no failure. Nothing that a job brings along can start a line of its own.
 */
export function logFailure(logger: Logger, noun: string, queue: string, job: Job, error: unknown): void {
  const id = messageOf(readProperty(job, 'id'));
  const name = messageOf(readProperty(job, 'name'));
  const attempt = `attempt ${messageOf(readProperty(job, 'attemptsMade'))}`;
  const what = printable(`${noun} ${id} "${name}" of queue "${queue}"`);
  const stack = stackOf(error);
  if (error instanceof JobCancelledError) {
    logger.debug(`${what} was cancelled at ${attempt}.`);
    return;
  }
  const detail = printable(detailOf(error));
  const reason = readProperty(job, 'deadLetterReason');
  if (typeof reason === 'string') {
    logger.error(`${what} is a dead letter (${reason}): it failed for good at ${attempt}: ${detail}`, stack);
    return;
  }
  logger.warn(`${what} failed at ${attempt}: ${detail}`);
  if (stack !== undefined) logger.debug(stack);
}
