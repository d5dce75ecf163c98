import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { messageOf } from '../engine/index.js';
import { isError } from '../engine/base/safe-access.js';
import { toError as wrapped } from '../engine/base/thrown.js';

/** Nest's answer for every error other than an `RpcException`, unless a filter of the application answers. */
const UNKNOWN = { status: 'error', message: 'Internal server error' } as const;

/** The errors that `ChasquiExceptionFilter` has let through. The handler threw them, so they are not answers of a filter. */
const thrown = new WeakSet<Error>();

/** Marks an error as thrown by a handler. */
export function letThrough(exception: unknown): Error {
  const error = isError(exception) ? exception : wrapped(exception);
  thrown.add(error);
  return error;
}

/**
 * The answer to a request that ended with this error. Undefined for a failure, which is retried.
 *
 * As with other transports, a value that leaves Nest's exception filters is the answer. It may be an Error, if an
 * `RpcException` was made of one. There are two exceptions: Nest's own "Internal server error", and errors that
 * `ChasquiExceptionFilter` has let through. Of the latter, only an `RpcException` and a client error over HTTP, such as
 * the one of a `ValidationPipe`, are answers: a retry would end in the same way.
 */
export function answerOf(error: unknown): { readonly error: unknown } | undefined {
  try {
    return answerIn(error);
  } catch {
    // The value throws when its properties are read. It is an ordinary failure.
    return undefined;
  }
}

function answerIn(error: unknown): { readonly error: unknown } | undefined {
  if (error instanceof RpcException) return { error: bodyOf(error) };
  if (error instanceof HttpException && error.getStatus() < 500) return { error: bodyOf(error) };
  if (error === undefined || isUnknown(error) || (error instanceof Error && thrown.has(error)))
    return undefined;
  return { error: bodyOf(error) };
}

/** The error that the caller gets for a request that failed for good. As in Nest, it reveals no internal details. */
export function unknownAnswer(jobId: string): object {
  return { ...UNKNOWN, jobId };
}

/** An error for the engine, which keeps its message. */
export function toError(error: unknown): Error {
  if (isError(error)) return error;
  try {
    return new RpcException(error as string | object);
  } catch {
    return wrapped(error);
  }
}

/** The content of the caller's `RpcException`. Of an Error, only its message and code: the rest may be internal. */
function bodyOf(error: unknown): unknown {
  if (error instanceof RpcException) return bodyOf(error.getError());
  if (error instanceof HttpException) return fromHttp(error);
  if (error instanceof Error) {
    const { code } = error as { code?: unknown };
    const isCode = typeof code === 'string' || typeof code === 'number';
    return { status: 'error', message: messageOf(error), ...(isCode && { code }) };
  }
  return typeof error === 'object' && error !== null ? error : { status: 'error', message: error };
}

function fromHttp(exception: HttpException): object {
  const response = exception.getResponse();
  const body = typeof response === 'string' ? { message: response } : response;
  return { message: exception.message, ...body, status: exception.getStatus() };
}

function isUnknown(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { status, message } = error as { status?: unknown; message?: unknown };
  return status === UNKNOWN.status && message === UNKNOWN.message;
}
