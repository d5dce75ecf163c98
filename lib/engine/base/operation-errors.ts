import { ChasquiError } from './chasqui-error.js';
import { ERROR_CODES } from './error-codes.js';

// What an operation on a job, a queue or a schedule answers when it cannot be done.

/** `waitForResult` found neither a result nor a final failure in time. */
export class WaitForResultTimeoutError extends ChasquiError {
  readonly code = ERROR_CODES.resultTimeout;
}

/** `waitForResult`: the job failed for good and is among the dead letters, or it was cancelled while it ran. */
export class JobFailedError extends ChasquiError {
  readonly code = ERROR_CODES.jobFailed;
}

/**
 * Why a job no longer exists; `unknown` if Redis has no record of it. Redis records a removal only if some caller waited for
 * a result of the queue at that time or up to 10 seconds before, and keeps the record for a minute.
 */
export type JobGoneReason = 'removed' | 'dropped' | 'unknown';

const GONE: Readonly<Record<JobGoneReason, string>> = {
  removed: 'was removed while it waited, and will not run',
  dropped: 'failed for good, and its dead letter was deleted',
  unknown:
    'is neither waiting nor running, and Redis has no record of its end: its handler returned nothing, or a value that ' +
    'cannot be stored; its worker runs without storeResults; its result has expired; it was removed while nobody waited; or its ' +
    'keys were deleted',
};

/** `waitForResult`: the job no longer exists, so there will be no result. */
export class JobGoneError extends ChasquiError {
  readonly code = ERROR_CODES.jobGone;

  constructor(
    readonly jobId: string,
    queue: string,
    readonly reason: JobGoneReason,
  ) {
    super(`Job ${jobId} of queue "${queue}" ${GONE[reason]}.`);
  }
}

/** An operation on one job: there is no job of this id. It has ended and nothing of it is kept, or it never existed. */
export class JobNotFoundError extends ChasquiError {
  readonly code = ERROR_CODES.jobNotFound;

  constructor(
    readonly jobId: string,
    readonly queue: string,
    what: string,
  ) {
    super(
      `${what}: queue "${queue}" has no job ${jobId}. It has ended and is not kept, was removed, or never existed.`,
    );
  }
}

/** An operation on one job: the job was in a state that does not allow it. Nothing was changed. */
export class JobStateError extends ChasquiError {
  readonly code = ERROR_CODES.jobState;

  constructor(
    readonly jobId: string,
    readonly queue: string,
    /**
     * The state in which the job was last: `waiting`, `active`, `delayed`, `completed` or `failed`; `unknown` if only a
     * processor may do this.
     */
    readonly state: string,
    what: string,
    instead: string,
  ) {
    const is = state === 'unknown' ? 'does not run here' : `is ${state}`;
    super(`${what}: job ${jobId} of queue "${queue}" ${is}. Nothing was changed. ${instead}`);
  }
}

/** `Queue.obliterate` without `force`: jobs are running. Nothing was deleted. */
export class JobsActiveError extends ChasquiError {
  readonly code = ERROR_CODES.jobsActive;

  constructor(
    readonly queue: string,
    /** How many jobs are in flight. */
    readonly active: number,
  ) {
    super(
      `obliterate: queue "${queue}" has active jobs: ${String(active)}. Nothing was deleted, and the pause of the queue is as it was. ` +
        'Wait until they have ended, or pass { force: true }: then they end as lost.',
    );
  }
}

/** A cursor that no call with these options returned. Nothing was read. */
export class CursorError extends ChasquiError {
  readonly code = ERROR_CODES.cursor;
}

/** No key of the queue exists: nothing has ever been added to it, or its keys were deleted. */
export class QueueNotFoundError extends ChasquiError {
  readonly code = ERROR_CODES.queueNotFound;

  /**
   * @param nearest names of queues that are like the given name, nearest first
   * @param queues how many queues there are
   */
  constructor(
    readonly queue: string,
    readonly nearest: readonly string[],
    queues: number,
    address: string,
  ) {
    const names = nearest.map((name) => `"${name}"`).join(', ');
    const there =
      names !== ''
        ? `Did you mean ${names}?`
        : queues > 0
          ? `It has ${queues === 1 ? 'one other queue' : `${String(queues)} other queues`}: run "chasqui inspect".`
          : 'There is no queue at all: check the address and the number of the database.';
    super(`Redis at ${address} has no queue "${queue}". ${there}`);
  }
}

/** An operation on one schedule: the queue has no schedule of this id. */
export class ScheduleNotFoundError extends ChasquiError {
  readonly code = ERROR_CODES.scheduleNotFound;

  constructor(
    readonly key: string,
    readonly queue: string,
    what: string,
  ) {
    super(
      `${what}: queue "${queue}" has no schedule "${key}". It was removed, is over, or never existed: getJobSchedulers() lists them.`,
    );
  }
}
