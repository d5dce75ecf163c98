import type { MessageHandler } from '@nestjs/microservices';
import {
  fromEvent,
  ignoreElements,
  isObservable,
  lastValueFrom,
  takeUntil,
  tap,
  type Observable,
} from 'rxjs';
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
    const result: unknown = await handler(data, context);
    if (isObservable(result)) {
      await drain(result.pipe(tap((value) => keep && values.push(value))), context.getSignal());
    } else if (keep && result !== undefined) {
      values.push(result);
    }
    return { values };
  } catch (error) {
    return { values, failure: { error } };
  }
}

/** Subscribes until the end; unsubscribes when the work should end before. */
async function drain(source: Observable<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = fromEvent(signal, 'abort');
  await lastValueFrom(source.pipe(ignoreElements(), takeUntil(aborted)), { defaultValue: undefined });
  signal.throwIfAborted();
}
