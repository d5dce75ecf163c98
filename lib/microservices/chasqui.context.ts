import { BaseRpcContext } from '@nestjs/microservices';
import type { Job } from '../engine/index.js';
import type { MessageMetadata } from './message.js';

type ChasquiContextArgs = [job: Job, pattern: string, metadata: MessageMetadata | undefined];

/** What `@Ctx()` gives in a handler: the message as a job. */
export class ChasquiContext extends BaseRpcContext<ChasquiContextArgs> {
  /** The job that carries the message; `job.data` is the message's data. */
  getJob(): Job {
    return this.args[0];
  }

  /** The pattern as text: the job's name. */
  getPattern(): string {
    return this.args[1];
  }

  /** What the client attached beside the data, if anything. */
  getMetadata(): MessageMetadata | undefined {
    return this.args[2];
  }

  /** From 1. A crash of the process uses an attempt too. */
  getAttempt(): number {
    return this.args[0].attemptsMade;
  }

  /**
   * Aborted when the work no longer counts or should end. Its reason says why: a JobCancelledError (the caller of a
   * request no longer waits, or `Queue.cancel` was called), a LeaseLostError, or a ShutdownError (the server closes, and
   * its grace time is over).
   */
  getSignal(): AbortSignal {
    return this.args[0].signal;
  }
}
