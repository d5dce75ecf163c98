import type { ArgumentsHost } from '@nestjs/common';
import type { Job } from '../../engine/index.js';
import { ConfigTypeError } from '../../engine/base/errors.js';
import { CHASQUI_CONTEXT_TYPE } from '../constants.js';

/** For `context.getType<ChasquiContextType>()`. */
export type ChasquiContextType = typeof CHASQUI_CONTEXT_TYPE;

/**
 * Typed access to the job in a guard, interceptor or exception filter.
 *
 * @example
 * ```ts
 * intercept(context: ExecutionContext, next: CallHandler) {
 *   if (!JobExecutionContext.is(context)) return next.handle();
 *   const job = JobExecutionContext.create(context).getJob();
 * ```
 */
export class JobExecutionContext<Data = unknown> {
  private constructor(private readonly job: Job<Data>) {}

  /** Whether the context belongs to a job handler, and not to a route or another kind of handler. */
  static is(context: ArgumentsHost): boolean {
    return context.getType<string>() === CHASQUI_CONTEXT_TYPE;
  }

  /** @throws TypeError (CMQ-004) if the context does not belong to a job handler */
  static create<Data = unknown>(context: ArgumentsHost): JobExecutionContext<Data> {
    if (!JobExecutionContext.is(context)) {
      throw new ConfigTypeError(
        `JobExecutionContext.create: this context is of type "${context.getType<string>()}", not "${CHASQUI_CONTEXT_TYPE}". ` +
          'In an enhancer that serves several kinds of handlers, check JobExecutionContext.is(context) first.',
      );
    }
    return new JobExecutionContext(context.getArgByIndex<Job<Data>>(0));
  }

  getJob(): Job<Data> {
    return this.job;
  }

  /** The payload. It is null if the job was added without one, which includes the jobs of a `@Repeat` without `data`. */
  getData(): Data {
    return this.job.data;
  }

  getQueueName(): string {
    return this.job.queueName;
  }

  /** Aborted when the handler should stop. */
  getSignal(): AbortSignal {
    return this.job.signal;
  }
}
