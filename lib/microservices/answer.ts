import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { messageOf } from '../engine/index.js';
import { isError, toError as wrapped } from '../engine/base/thrown.js';

/** What Nest says for every error that is no `RpcException`, where no filter of the application says otherwise. */
const UNKNOWN = { status: 'error', message: 'Internal server error' } as const;

/** Errors that `ChasquiExceptionFilter` has let through: they are what the handler threw, and no filter's answer. */
const thrown = new WeakSet<Error>();

/** What a handler threw, marked as such. */
export function letThrough(exception: unknown): Error {
  const error = isError(exception) ? exception : wrapped(exception);
  thrown.add(error);
  return error;
}

/**
 * What to answer to a request that ended with this; undefined for a failure, which is tried again. As with other
 * transports, what leaves Nest's exception filters is the answer, an Error too: it is what an `RpcException` was made of.
 * Not so Nest's own "Internal server error", and what `ChasquiExceptionFilter` has let through: of these, only an
 * `RpcException` and a client error over HTTP (of a `ValidationPipe`, say) are answers, which asking again would bring
 * again.
 */
export function answerOf(error: unknown): { readonly error: unknown } | undefined {
  try {
    return answerIn(error);
  } catch {
    // A value that throws when it is looked at: a failure like any other.
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

/** The error that the caller sees for a request that failed for good. As in Nest, it tells nothing of the inside. */
export function unknownAnswer(jobId: string): object {
  return { ...UNKNOWN, jobId };
}

/** Something to throw into the engine, which keeps its message. */
export function toError(error: unknown): Error {
  if (isError(error)) return error;
  try {
    return new RpcException(error as string | object);
  } catch {
    return wrapped(error);
  }
}

/** What the caller's `RpcException` is made of. Of an Error no more than was meant for others: it may hold anything. */
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
