import { AsyncResource } from 'node:async_hooks';
import type { ExecutionContext, NestInterceptor } from '@nestjs/common';
import { from, isObservable, lastValueFrom, mergeAll, Observable, type Subscriber } from 'rxjs';
import { flatten, isPromise } from './results.js';

/** What an interceptor returns; what it is in a program without types, RxJS decides. */
type Source = ReturnType<NestInterceptor['intercept']>;

/**
 * A handler inside of its interceptors, run as Nest's `InterceptorsConsumer` runs it, with fewer objects: an
 * interceptor that returns `next.handle()` as it is costs no subscription.
 *
 * What counts is the same. `handle()` may be called, and its Observable subscribed to, any number of times; each
 * subscription runs all that is inside anew, in the async context in which `handle()` was called: the next interceptor
 * at once, the handler a microtask later, and not at all where the subscription has ended by then.
 */
export class InterceptorChain {
  constructor(
    private readonly interceptors: readonly NestInterceptor[],
    private readonly context: ExecutionContext,
    /** It may throw, or return a promise or an Observable. */
    private readonly handler: () => unknown,
  ) {}

  /**
   * The last value, now or as a promise. For one who does not unsubscribe.
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
    return lastValueFrom(stream, { defaultValue: undefined });
  }

  /** Gives a subscriber all values. It never rejects. */
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
        subscriber.next(result);
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

/** One for all: `this` is the Observable that is subscribed to. */
function feed(this: Observable<unknown>, subscriber: Subscriber<unknown>): void {
  (this as Handling).feed(subscriber);
}
