import { ChasquiError, UnrecoverableError } from '../engine/index.js';
import { printable } from '../engine/base/printable.js';
import { WiringError } from '../nest/errors.js';

/** Codes of the microservice transport: CMQ-340 to 342 stop the boot, the others fail a message. */
export const MICROSERVICE_ERROR_CODES = {
  duplicatePattern: 'CMQ-340',
  invalidPattern: 'CMQ-341',
  noPattern: 'CMQ-342',
  unhandledPattern: 'CMQ-343',
  requestTimeout: 'CMQ-344',
  noReply: 'CMQ-345',
} as const;

/** Two handlers for one pattern, at least one of which is a `@MessagePattern`: a request has one answer. */
export class DuplicatePatternError extends WiringError {
  readonly code = MICROSERVICE_ERROR_CODES.duplicatePattern;

  constructor(
    readonly queue: string,
    readonly pattern: string,
  ) {
    super(
      `The pattern "${pattern}" of the queue "${queue}" has more than one handler, and not all of them are @EventPattern: ` +
        'only events may be handled in several places. Keep one, or give them patterns of their own.',
    );
  }
}

/** A pattern that cannot be the name of a job: no text, number or object, blank, or too long. */
export class InvalidPatternError extends ChasquiError {
  readonly code = MICROSERVICE_ERROR_CODES.invalidPattern;

  constructor(problem: string, options?: { cause?: unknown }) {
    super(
      `Invalid pattern: ${problem} A pattern is a string, a number, or an object of these; as text it has at most 256 bytes.`,
      options,
    );
  }
}

/** A server without a single handler. */
export class NoPatternError extends WiringError {
  readonly code = MICROSERVICE_ERROR_CODES.noPattern;

  constructor(readonly queue: string) {
    super(
      `ChasquiServer for the queue "${queue}" has no handler: every message would go to the dead letters. ` +
        'Put @EventPattern or @MessagePattern on a method of a controller, and the controller into a module of this application.',
    );
  }
}

/**
 * A message whose pattern nobody handles. An event goes to the dead letters, from where it can be replayed; who made a
 * request gets this as its answer.
 */
export class UnhandledPatternError extends UnrecoverableError {
  override readonly code = MICROSERVICE_ERROR_CODES.unhandledPattern;

  constructor(
    readonly queue: string,
    readonly pattern: string,
    nearest: string | undefined,
  ) {
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    super(printable(`No handler for the pattern "${pattern}" of the queue "${queue}".${hint}`));
  }
}

/** No reply came in time. The request is cancelled, wherever it is, unless somebody else has added it. */
export class RequestTimeoutError extends ChasquiError {
  readonly code = MICROSERVICE_ERROR_CODES.requestTimeout;

  constructor(
    readonly queue: string,
    readonly pattern: string,
    readonly jobId: string,
    readonly timeoutMs: number,
  ) {
    super(
      `No reply to "${pattern}" (job ${jobId} of queue "${queue}") within ${String(timeoutMs)} ms. ` +
        'Check that a ChasquiServer runs for this queue and keeps up with it, or raise timeoutMs.',
    );
  }
}

/** The request has ended, but there is no reply: whoever ran it is no `ChasquiServer`, or the reply expired. */
export class NoReplyError extends ChasquiError {
  readonly code = MICROSERVICE_ERROR_CODES.noReply;

  constructor(
    readonly queue: string,
    readonly pattern: string,
    readonly jobId: string,
    options?: { cause?: unknown },
  ) {
    super(
      `"${pattern}" (job ${jobId} of queue "${queue}") has ended, and there is no reply. ` +
        'Only a ChasquiServer replies: give it a queue that no other worker reads; or its resultTtlSecs is too short.',
      options,
    );
  }
}
