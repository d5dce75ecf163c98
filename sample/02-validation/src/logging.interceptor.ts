import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { tap, type Observable } from 'rxjs';
import { JobExecutionContext } from 'nestjs-chasqui';

@Injectable()
export class LoggingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const { id, name } = JobExecutionContext.create(context).getJob();
    console.log(`${name} ${id}: begins`);
    return next.handle().pipe(
      tap((result) => {
        console.log(`${name} ${id}: ${JSON.stringify(result)}`);
      }),
    );
  }
}
