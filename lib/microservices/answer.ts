import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';

/** What Nest says for every error that is no `RpcException`, where no filter of the application says otherwise. */
const UNKNOWN = { status: 'error', message: 'Internal server error' } as const;

/**
 * What to answer to a request whose handler threw this; undefined for a failure, which is tried again. An
 * `RpcException` is an answer, and so is a client error over HTTP (of a `ValidationPipe`, say): asking again would
 * bring the same.
 *
 * @param error what left Nest's exception filters: mostly no longer the exception itself, but what `getError()` gave
 */
export function answerOf(error: unknown): { readonly error: unknown } | undefined {
  if (error instanceof RpcException) return answerOf(error.getError());
  if (error instanceof HttpException) return error.getStatus() < 500 ? fromHttp(error) : undefined;
  if (error === undefined || error instanceof Error || isUnknown(error)) return undefined;
  return { error: typeof error === 'object' ? error : { status: 'error', message: error } };
}

/** The error that the caller sees for a request that failed for good. As in Nest, it tells nothing of the inside. */
export function unknownAnswer(jobId: string): object {
  return { ...UNKNOWN, jobId };
}

/** Something to throw into the engine, which keeps its message. */
export function toError(error: unknown): Error {
  return error instanceof Error ? error : new RpcException(error as string | object);
}

function fromHttp(exception: HttpException): { readonly error: unknown } {
  const response = exception.getResponse();
  const body = typeof response === 'string' ? { message: response } : response;
  return { error: { message: exception.message, ...body, status: exception.getStatus() } };
}

function isUnknown(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { status, message } = error as { status?: unknown; message?: unknown };
  return status === UNKNOWN.status && message === UNKNOWN.message;
}
