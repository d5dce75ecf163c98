import type { MessageHandler } from '@nestjs/microservices';
import { fromEvent, isObservable, lastValueFrom, takeUntil, tap, type Observable } from 'rxjs';
import { errorIn } from '../engine/worker/run/returned.js';
import type { ChasquiContext } from './chasqui.context.js';

/** The outcome of a handler. */
export interface Outcome {
  /** The values that it emitted, in order. Empty if no caller waits for them. */
  readonly values: readonly unknown[];
  /** The error that ended it, if any. */
  readonly failure?: { readonly error: unknown };
}

/** Runs a handler to its end, which includes the end of its Observable. Never rejects. */
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
    // An error that a handler or an exception filter returns is a failure, as if it were thrown.
    const error = errorIn(result);
    return error ? { values, failure: { error } } : { values };
  } catch (error) {
    return { values, failure: { error } };
  }
}

/** Resolves with the last value of the source. It unsubscribes when the signal is aborted. */
async function drain(source: Observable<unknown>, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const aborted = fromEvent(signal, 'abort');
  const last = await lastValueFrom(source.pipe(takeUntil(aborted)), { defaultValue: undefined });
  signal.throwIfAborted();
  return last;
}
