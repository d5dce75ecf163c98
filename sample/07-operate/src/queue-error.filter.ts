import { Catch, HttpStatus, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { ERROR_CODES } from 'nestjs-chasqui';

/** The HTTP status of an error of a queue, by its code. */
const STATUS: Record<string, HttpStatus> = {
  [ERROR_CODES.config]: HttpStatus.BAD_REQUEST,
  [ERROR_CODES.cursor]: HttpStatus.BAD_REQUEST,
  [ERROR_CODES.jobNotFound]: HttpStatus.NOT_FOUND,
  [ERROR_CODES.scheduleNotFound]: HttpStatus.NOT_FOUND,
  [ERROR_CODES.jobState]: HttpStatus.CONFLICT,
  [ERROR_CODES.queueFull]: HttpStatus.CONFLICT,
  [ERROR_CODES.connection]: HttpStatus.SERVICE_UNAVAILABLE,
};

interface Response {
  status(status: number): { json(body: object): void };
}

/** Answers with the code and the message of an error of a queue. All other errors go the way of Nest. */
@Catch()
export class QueueErrorFilter extends BaseExceptionFilter implements ExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    const status = typeof code === 'string' ? STATUS[code] : undefined;
    if (status === undefined) {
      super.catch(error, host);
      return;
    }
    host.switchToHttp().getResponse<Response>().status(status).json({ statusCode: status, code, message });
  }
}
