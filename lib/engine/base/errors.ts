import { ChasquiError, UnrecoverableError } from './chasqui-error.js';
import type { CodedError } from './chasqui-error.js';
import { ERROR_CODES } from './error-codes.js';
import { printable } from './printable.js';

export { ChasquiError, UnrecoverableError } from './chasqui-error.js';
export type { CodedError } from './chasqui-error.js';
export { ERROR_CODES } from './error-codes.js';
export * from './operation-errors.js';
export { isError, isUnrecoverable } from './safe-access.js';
export { messageOf } from './thrown.js';

/**
 * Redis could not be reached, refused the connection, or did not answer within the deadline. `unknownOutcome` is true if
 * Redis may have executed the command: its reply was lost.
 */
export class ConnectionError extends ChasquiError {
  readonly code = ERROR_CODES.connection;
  readonly unknownOutcome: boolean;
  /** True for the report that the connection is down. All its users emit it as `error`, once for each outage. */
  readonly outage: boolean;

  constructor(message: string, options?: { cause?: unknown; unknownOutcome?: boolean; outage?: boolean }) {
    super(message, options);
    this.unknownOutcome = options?.unknownOutcome ?? false;
    this.outage = options?.outage ?? false;
  }
}

/** A payload or a return value cannot be encoded as MessagePack (cyclic, a function, nested too deep). */
export class EncodeError extends ChasquiError {
  readonly code = ERROR_CODES.encode;
}

/** Bytes from Redis are not the expected MessagePack. */
export class DecodeError extends ChasquiError {
  readonly code = ERROR_CODES.decode;
}

/** An option, a name or an id that the engine refuses to use. Nothing was written. */
export class ConfigError extends ChasquiError {
  readonly code = ERROR_CODES.config;
}

/** A number outside its range, such as a negative delay: a `RangeError` with the code of {@link ConfigError}. */
export class ConfigRangeError extends RangeError implements CodedError {
  readonly code = ERROR_CODES.config;
  override readonly name = 'RangeError';

  constructor(message: string) {
    super(printable(message));
  }
}

/** A value of the wrong kind, such as a blank job id: a `TypeError` with the code of {@link ConfigError}. */
export class ConfigTypeError extends TypeError implements CodedError {
  readonly code = ERROR_CODES.config;
  override readonly name = 'TypeError';

  constructor(message: string) {
    super(printable(message));
  }
}

/** The queue, worker or connection is closed or closing. */
export class ShutdownError extends ChasquiError {
  readonly code = ERROR_CODES.shutdown;
}

/** The add would exceed `maxStreamLen`. It was refused as a whole: nothing was added. */
export class QueueFullError extends ChasquiError {
  readonly code = ERROR_CODES.queueFull;
  constructor(
    readonly queue: string,
    readonly length: number,
    readonly maxStreamLen: number,
  ) {
    super(
      `Queue "${queue}" is full: it has ${String(length)} jobs, and maxStreamLen is ${String(maxStreamLen)}. Nothing was added. ` +
        'Add workers, slow down the producer, or raise maxStreamLen (0 = no bound).',
    );
  }
}

/** More jobs would wait in a group than `group.maxSize` allows. The add was refused as a whole: nothing was added. */
export class GroupFullError extends ChasquiError {
  readonly code = ERROR_CODES.groupFull;
  /** @param waiting how many jobs wait in the group, those that the same add has before the refused job among them */
  constructor(
    readonly queue: string,
    readonly group: string,
    readonly waiting: number,
    readonly maxSize: number,
  ) {
    super(
      `Group "${group}" of queue "${queue}" is full: with this job, ${String(waiting + 1)} jobs would wait in it, and group.maxSize is ` +
        `${String(maxSize)}. Nothing was added. Add the job later, raise maxSize, or let the group run more jobs at once.`,
    );
  }
}

/**
 * A worker no longer has the lease of a job: the job was deleted while it was active (`obliterate` with `force`), or another
 * worker has reclaimed it. This worker can no longer complete, retry or dead-letter it.
 */
export class LeaseLostError extends ChasquiError {
  readonly code = ERROR_CODES.leaseLost;
}

/** The job was added, but fewer replicas confirmed it than `durability` requires. */
export class DurabilityError extends ChasquiError {
  readonly code = ERROR_CODES.durability;
  /** Ids of the jobs that were added and not confirmed. */
  readonly jobIds: readonly string[];

  constructor(message: string, jobIds: readonly string[] = []) {
    super(message);
    this.jobIds = jobIds;
  }
}

/** A pending entry is no longer in the stream: it was deleted or trimmed. */
export class LostEntryError extends ChasquiError {
  readonly code = ERROR_CODES.lostEntry;
}

/** A worker releases a job again and again, because its `accepts` refuses it and no other worker accepts it. */
export class UnacceptedJobError extends ChasquiError {
  readonly code = ERROR_CODES.unaccepted;
}

/** Redis has lost data: schedules that this application declared are missing, and no call removed them. */
export class DataLostError extends ChasquiError {
  readonly code = ERROR_CODES.dataLost;
}

/** A handler of a batch has returned something that does not say which result belongs to which job. */
export class BatchResultError extends UnrecoverableError {
  override readonly code = ERROR_CODES.batchResult;
}

/** `Queue.cancel` was called for the job, in any process. It is the reason of the job's `signal`. */
export class JobCancelledError extends ChasquiError {
  readonly code = ERROR_CODES.cancelled;
}

/** A run took longer than its `timeoutMs`: the attempt has failed. It is also the reason of the job's `signal`. */
export class JobTimeoutError extends ChasquiError {
  readonly code = ERROR_CODES.jobTimeout;

  constructor(
    readonly jobId: string,
    queue: string,
    readonly timeoutMs: number,
    options?: { cause?: unknown },
  ) {
    super(
      `Job ${jobId} of queue "${queue}" ran longer than its timeoutMs of ${String(timeoutMs)} ms. What its handler does from now on does not count.`,
      options,
    );
  }
}

/**
 * A handler throws it after `job.moveToDelayed()`, to end the run. Thrown without that call, it is a failed attempt like any
 * other error.
 */
export class DelayedError extends ChasquiError {
  readonly code = ERROR_CODES.delayed;

  constructor(message = 'The handler threw a DelayedError to end its run', options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** The payload is larger than `maxPayloadBytes`. Nothing was added. */
export class PayloadTooLargeError extends ChasquiError {
  readonly code = ERROR_CODES.oversizePayload;
}

/** The method or option exists for compatibility and is not supported. */
export class NotSupportedError extends ChasquiError {
  readonly code = ERROR_CODES.notSupported;
}

/**
 * A handler throws it after `queue.rateLimit()`, `worker.rateLimit()` or `worker.rateLimitGroup()`, to end the run: its job goes back to
 * the queue, with no attempt used. Without a limit in effect, the job runs again after 100 ms.
 */
export class RateLimitError extends ChasquiError {
  readonly code = ERROR_CODES.rateLimit;

  constructor(message = 'Rate limit exceeded', options?: { cause?: unknown }) {
    super(message, options);
  }
}
