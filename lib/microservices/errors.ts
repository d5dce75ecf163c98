import { ChasquiError, UnrecoverableError } from '../engine/index.js';
import { printable } from '../engine/base/printable.js';
import { WiringError } from '../nest/errors.js';

/** Codes of the microservice transport. CMQ-340 to 342 stop the boot. The others fail a message. */
export const MICROSERVICE_ERROR_CODES = {
  duplicatePattern: 'CMQ-340',
  invalidPattern: 'CMQ-341',
  noPattern: 'CMQ-342',
  unhandledPattern: 'CMQ-343',
  requestTimeout: 'CMQ-344',
  noReply: 'CMQ-345',
} as const;

/** Two handlers have the same pattern, and at least one of them is a `@MessagePattern`. A request has one answer. */
export class DuplicatePatternError extends WiringError {
  readonly code = MICROSERVICE_ERROR_CODES.duplicatePattern;

  constructor(
    readonly queue: string,
    readonly pattern: string,
  ) {
    super(
      `The pattern "${pattern}" of the queue "${queue}" has more than one handler, and not all of them are @EventPattern: ` +
        'only an event can have several handlers. Keep one handler, or change a pattern.',
    );
  }
}

/** A pattern cannot be the name of a job: it is not text, a number or an object, or it is blank or too long. */
export class InvalidPatternError extends ChasquiError {
  readonly code = MICROSERVICE_ERROR_CODES.invalidPattern;

  constructor(problem: string, options?: { cause?: unknown }) {
    super(
      `Invalid pattern: ${problem} A pattern is a string, a number, or an object of these; as text it has at most 256 bytes.`,
      options,
    );
  }
}

/** A server has no handler. */
export class NoPatternError extends WiringError {
  readonly code = MICROSERVICE_ERROR_CODES.noPattern;

  constructor(readonly queue: string) {
    super(
      `ChasquiServer for the queue "${queue}" has no handler: every message would become a dead letter. ` +
        'Put @EventPattern or @MessagePattern on a method of a controller, and add the controller to a module of this application.',
    );
  }
}

/**
 * No handler matches the pattern of a message. An event becomes a dead letter that you can replay. The caller of a request
 * gets this error as the answer.
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

/** No reply arrived in time. The request is cancelled, unless another caller has added it. */
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

/** The request has ended without a reply. Another kind of worker ran it, or the reply has expired. */
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
        'Check that only ChasquiServers read this queue, because no other worker replies. If the reply has expired, raise resultTtlSecs of the server.',
      options,
    );
  }
}
