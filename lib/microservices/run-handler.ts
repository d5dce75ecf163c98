import type { MessageHandler } from '@nestjs/microservices';
import { fromEvent, isObservable, lastValueFrom, takeUntil, tap, type Observable } from 'rxjs';
import { errorIn } from '../engine/worker/run/returned.js';
import type { ChasquiContext } from './chasqui.context.js';

/** What came of a handler. */
export interface Outcome {
  /** What it emitted, in order, before it ended; empty where nobody wants to know. */
  readonly values: readonly unknown[];
  /** Why it did not end well. */
  readonly failure?: { readonly error: unknown };
}

/** Runs a handler to its end, the end of its Observable included. Never rejects. */
export async function runHandler(
  handler: MessageHandler<unknown, ChasquiContext, unknown>,
  data: unknown,
  context: ChasquiContext,
  keep: boolean,
): Promise<Outcome> {
  const values: unknown[] = [];
  try {
    let result: unknown = await handler(data, context);
    if (isObservable(result)) {
      const source = result.pipe(tap((value) => keep && !errorIn(value) && values.push(value)));
      result = await drain(source, context.getSignal());
    } else if (keep && result !== undefined && !errorIn(result)) {
      values.push(result);
    }
    // Returned by the handler or by an exception filter: it has failed all the same.
    const error = errorIn(result);
    return error ? { values, failure: { error } } : { values };
  } catch (error) {
    return { values, failure: { error } };
  }
}

/** Subscribes until the end, to the last value; unsubscribes when the work should end before. */
async function drain(source: Observable<unknown>, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const aborted = fromEvent(signal, 'abort');
  const last = await lastValueFrom(source.pipe(takeUntil(aborted)), { defaultValue: undefined });
  signal.throwIfAborted();
  return last;
}
