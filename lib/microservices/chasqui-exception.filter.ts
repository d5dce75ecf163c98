import { Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import { letThrough } from './answer.js';
import { ChasquiContext } from './chasqui.context.js';

/**
 * Lets the server see what a handler threw. Without it, Nest makes "Internal server error" of everything that is no
 * `RpcException`, as for all its transports: dead letters would say no more than that, an `UnrecoverableError` would be
 * tried again, and a `ValidationPipe`'s violations would not reach the caller. Messages of other transports are
 * treated as Nest treats them.
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
