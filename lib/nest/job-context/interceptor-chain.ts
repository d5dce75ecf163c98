import { AsyncResource } from 'node:async_hooks';
import type { ExecutionContext, NestInterceptor } from '@nestjs/common';
import { from, isObservable, lastValueFrom, mergeAll, Observable, type Subscriber } from 'rxjs';
import { flatten, isPromise, throwIfError } from './results.js';

/** What an interceptor returns. In a program without types it may be anything, and RxJS decides how to read it. */
type Source = ReturnType<NestInterceptor['intercept']>;

/**
 * Runs a handler inside its interceptors, as Nest's `InterceptorsConsumer` does, with fewer objects: an interceptor that
 * returns `next.handle()` unchanged costs no subscription.
 *
 * The behavior is the same. `handle()` can be called any number of times, and its Observable can have any number of
 * subscribers. Each subscription runs everything inside again, in the async context in which `handle()` was called. The
 * next interceptor runs at once. The handler runs a microtask later, unless the subscription has ended by then.
 */
export class InterceptorChain {
  constructor(
    private readonly interceptors: readonly NestInterceptor[],
    private readonly context: ExecutionContext,
    /** It may throw, or return a promise or an Observable. */
    private readonly handler: () => unknown,
  ) {}

  /**
   * Returns the last value, or a promise of it. It cannot be unsubscribed from.
   *
   * @param index of the interceptor to begin with
   */
  run(index = 0): unknown {
    if (index === this.interceptors.length) return flatten(this.handler());
    const source: unknown = this.open(index);
    if (source instanceof Handling) return source.run();
    const stream = isPromise(source)
      ? from(source as Promise<Observable<unknown>>).pipe(mergeAll())
      : from(source as Observable<unknown>);
    return lastValueFrom(stream, { defaultValue: undefined }).then(throwIfError);
  }

  /** Sends all values to a subscriber. It never rejects. */
  async feed(index: number, scope: AsyncResource, subscriber: Subscriber<unknown>): Promise<void> {
    const isLast = index === this.interceptors.length;
    try {
      const source = await (isLast ? undefined : scope.runInAsyncScope(() => this.open(index)));
      if (subscriber.closed) return;
      const result: unknown = isLast ? await scope.runInAsyncScope(this.handler) : from(source as Source);
      if (subscriber.closed) return;
      if (isObservable(result)) {
        from(result).subscribe(subscriber);
      } else {
        subscriber.next(throwIfError(result));
        subscriber.complete();
      }
    } catch (error) {
      subscriber.error(error);
    }
  }

  private open(index: number): Source {
    return (this.interceptors[index] as NestInterceptor).intercept(this.context, {
      handle: () => new Handling(this, index + 1),
    });
  }
}

/** What `next.handle()` returns. */
class Handling extends Observable<unknown> {
  readonly #scope = new AsyncResource('ChasquiHandling');

  constructor(
    readonly chain: InterceptorChain,
    readonly index: number,
  ) {
    super(feed);
  }

  run(): unknown {
    return this.#scope.runInAsyncScope(() => this.chain.run(this.index));
  }

  feed(subscriber: Subscriber<unknown>): void {
    void this.chain.feed(this.index, this.#scope, subscriber);
  }
}

/** One function for all instances: `this` is the Observable that gets the subscriber. */
function feed(this: Observable<unknown>, subscriber: Subscriber<unknown>): void {
  (this as Handling).feed(subscriber);
}
