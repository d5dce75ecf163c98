import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { RpcException } from '@nestjs/microservices';

/** Answers over HTTP with the status and the message of the service. */
@Catch(RpcException)
export class RpcErrorFilter extends BaseExceptionFilter implements ExceptionFilter<RpcException> {
  override catch(exception: RpcException, host: ArgumentsHost): void {
    const error = exception.getError();
    const status: unknown = typeof error === 'object' ? (error as { status?: unknown }).status : undefined;
    super.catch(new HttpException(exception.message, typeof status === 'number' ? status : 502), host);
  }
}
