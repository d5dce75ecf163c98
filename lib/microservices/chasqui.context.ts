import { BaseRpcContext } from '@nestjs/microservices';
import type { Job } from '../engine/index.js';
import type { MessageMetadata } from './message.js';

type ChasquiContextArgs = [job: Job, pattern: string, metadata: MessageMetadata | undefined];

/** `@Ctx()` injects it into a handler: the message as a job. */
export class ChasquiContext extends BaseRpcContext<ChasquiContextArgs> {
  /** The job that carries the message; `job.data` is the message's data. */
  getJob(): Job {
    return this.args[0];
  }

  /** The pattern as text: the job's name. */
  getPattern(): string {
    return this.args[1];
  }

  /** The metadata that the client attached next to the data, if any. */
  getMetadata(): MessageMetadata | undefined {
    return this.args[2];
  }

  /** The number of this attempt, from 1. A crash of the process uses an attempt too. */
  getAttempt(): number {
    return this.args[0].attemptsMade;
  }

  /**
   * Aborted when the handler should stop. The reason of the signal is one of these: a JobCancelledError (the caller of a
   * request no longer waits, or you called `Queue.cancel`), a LeaseLostError, or a ShutdownError (the server closes and
   * the grace time is over).
   */
  getSignal(): AbortSignal {
    return this.args[0].signal;
  }
}
