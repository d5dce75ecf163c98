import type { Logger } from '@nestjs/common';
import { JobCancelledError, type DeadLettered, type Job, type Worker } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { readProperty } from '../../engine/base/safe-access.js';
import { detailOf, messageOf, stackOf } from '../../engine/base/thrown.js';

/** What to do about a dead letter that no handler has seen. */
const REMEDIES: Partial<Record<DeadLettered['reason'], string>> = {
  decode_failed: 'Another program has written this entry: find it with peekDlq(), and fix the program.',
  malformed: 'Another program writes to the work stream: find and fix it.',
  oversize_payload:
    'Send a reference instead of the data. Or raise maxPayloadBytes of the worker and replay the dead letter.',
};

/**
 * Logs what happens to the jobs of a worker: a dead letter as an error with its stack, a retry as a warning, a cancelled
 * job for debugging. All text from a job is escaped, so that it cannot start a line.
 *
 * @param noun what a job is called
 */
export function logJobs(logger: Logger, noun: string, queue: string, worker: Worker): void {
  worker.on('failed', (job, error: unknown) => {
    logFailure(logger, noun, queue, job, error);
  });
  worker.on('deadLettered', (letter) => {
    // With a job, `failed` has come before.
    if (!letter.job) logger.error(printable(unseen(noun, queue, letter)));
  });
  worker.on('dlqEvicted', ({ count, cap }) => {
    logger.error(
      `Queue "${queue}" dropped ${String(count)} old dead letter(s), because it keeps at most ${String(cap)} (dlqMaxStreamLen). ` +
        'Replay or drop dead letters, or raise dlqMaxStreamLen.',
    );
  });
}

/**
 * Logs when a worker stops to start jobs because somebody has paused it or its queue, and when it goes on: one line for each
 * change in each process.
 */
export function logPauses(logger: Logger, queue: string, worker: Worker): void {
  worker.on('paused', (by) => {
    const what = by === 'queue' ? 'Queue' : 'The worker of queue';
    logger.warn(
      printable(`${what} "${queue}" is paused: this process starts no jobs of it until it is resumed.`),
    );
  });
  worker.on('resumed', (by) => {
    const what = by === 'queue' ? 'Queue' : 'The worker of queue';
    logger.log(printable(`${what} "${queue}" is resumed.`));
  });
}

function logFailure(logger: Logger, noun: string, queue: string, job: Job, error: unknown): void {
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

/** A dead letter that no handler has seen. */
function unseen(noun: string, queue: string, { entryId, jobId, name, reason, detail }: DeadLettered): string {
  const named = name === undefined ? '' : ` "${name}"`;
  const what =
    jobId === undefined ? `Entry ${entryId}${named}` : `${noun} ${jobId}${named} (entry ${entryId})`;
  const remedy = REMEDIES[reason] ?? 'Fix the cause, then replay the dead letter.';
  return `${what} of queue "${queue}" is a dead letter (${reason}): ${detail.replace(/\.?$/, '.')} ${remedy}`;
}
