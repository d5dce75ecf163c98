import { Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import { letThrough } from './answer.js';
import { ChasquiContext } from './chasqui.context.js';

/**
 * Passes the error of a handler to the server unchanged. Without this filter, Nest turns every error except an
 * `RpcException` into "Internal server error", as for all its transports. Dead letters would then have no other text, an
 * `UnrecoverableError` would be retried, and the violations of a `ValidationPipe` would not reach the caller. For messages
 * of other transports, the filter does what Nest does.
 *
 * @example
 * ```ts
 * @Controller()
 * @UseFilters(ChasquiExceptionFilter)
 * export class OrdersController { … }
 * ```
 */
@Catch()
export class ChasquiExceptionFilter extends BaseRpcExceptionFilter<unknown, never> {
  override catch(exception: unknown, host: ArgumentsHost): Observable<never> {
    const isOurs = host.switchToRpc().getContext<unknown>() instanceof ChasquiContext;
    return isOurs ? throwError(() => letThrough(exception)) : super.catch(exception, host);
  }
}
