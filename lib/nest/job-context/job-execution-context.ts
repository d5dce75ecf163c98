import type { ArgumentsHost } from '@nestjs/common';
import type { Job } from '../../engine/index.js';
import { isBatch, signalOf } from '../../engine/job/batch-signal.js';
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
  private constructor(
    private readonly input: Job<Data> | readonly Job<Data>[],
    private readonly signal: AbortSignal | undefined,
  ) {}

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
    const [input, signal] = context.getArgs<[Job<Data> | readonly Job<Data>[], AbortSignal | undefined]>();
    return new JobExecutionContext(input, signal);
  }

  /**
   * Whether the context belongs to a batch. Interceptors and exception filters of a handler with `batches` see the batch, and
   * its guards see each job.
   */
  isBatch(): boolean {
    return isBatch(this.input);
  }

  /** The jobs of the batch, without those that a guard or a pipe has refused; or the one job. */
  getJobs(): readonly Job<Data>[] {
    return isBatch(this.input) ? this.input : [this.input];
  }

  /** @throws TypeError (CMQ-004) in a batch: use {@link getJobs} */
  getJob(): Job<Data> {
    return this.one('getJob');
  }

  /**
   * The payload. It is null if the job was added without one, which includes the jobs of a `@Repeat` without `data`.
   * @throws TypeError (CMQ-004) in a batch: use {@link getJobs}
   */
  getData(): Data {
    return this.one('getData').data;
  }

  getQueueName(): string {
    return this.getJobs()[0]?.queueName ?? '';
  }

  /** Aborted when the handler should stop. */
  getSignal(): AbortSignal {
    return isBatch(this.input) ? (this.signal ?? signalOf(this.input)) : (this.input as Job).signal;
  }

  private one(method: string): Job<Data> {
    if (!isBatch(this.input)) return this.input;
    throw new ConfigTypeError(
      `JobExecutionContext.${method}: this handler has "batches", so its interceptors and exception filters run once for ${String(this.input.length)} job(s). Use getJobs(), and isBatch() to tell the two apart.`,
    );
  }
}
