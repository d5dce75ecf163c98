import type { ExecutionContext, NestInterceptor } from '@nestjs/common';
import { InterceptorChain } from './interceptor-chain.js';
import type { FillParameters } from './parameters.js';
import { flatten, isPromise } from './results.js';

/** A handler and its enhancers, as Nest has resolved them. */
export interface HandlerParts {
  readonly guard: ((args: unknown[]) => Promise<void>) | null;
  readonly interceptors: readonly NestInterceptor[];
  readonly contextOf: (args: unknown[]) => ExecutionContext;
  /** Null if no parameter has a decorator. The method then gets the arguments unchanged. */
  readonly fill: FillParameters | null;
  readonly parameterCount: number;
  readonly method: (...args: unknown[]) => unknown;
  readonly instance: object;
  /** Runs the exception filters. It returns an answer, or throws. */
  readonly recover: (error: unknown, args: unknown[]) => Promise<unknown>;
}

export type HandlerCall = (...args: unknown[]) => unknown;

/**
 * Runs guards, interceptors, pipes and the method, and the filters on an error. An absent step costs nothing, and a
 * synchronous step creates no promise: for a job with an empty handler, Nest's own code costs more than the engine.
 */
export function callOf(parts: HandlerParts): HandlerCall {
  const { guard, recover } = parts;
  const run = parts.interceptors.length > 0 ? intercepted(parts) : direct(parts);
  return (...args) => {
    try {
      const result = guard ? guard(args).then(() => run(args)) : run(args);
      return isPromise(result) ? result.then(undefined, (error: unknown) => recover(error, args)) : result;
    } catch (error) {
      return recover(error, args);
    }
  };
}

function intercepted(parts: HandlerParts): (args: unknown[]) => unknown {
  const { interceptors, contextOf } = parts;
  const handler = handlerOf(parts);
  return (args) => {
    // As in Nest, all calls of the handler share one array: a second call finds the values of the first.
    const values = new Array<unknown>(parts.parameterCount).fill(undefined);
    return new InterceptorChain(interceptors, contextOf(args), () => handler(args, values)).run();
  };
}

function direct(parts: HandlerParts): (args: unknown[]) => unknown {
  const handler = handlerOf(parts);
  return (args) => flatten(handler(args, new Array<unknown>(parts.parameterCount).fill(undefined)));
}

function handlerOf({ fill, method, instance }: HandlerParts) {
  return (args: unknown[], values: unknown[]): unknown => {
    if (!fill) return method.apply(instance, args);
    const filled = fill(values, ...args);
    return isPromise(filled)
      ? filled.then(() => method.apply(instance, values))
      : method.apply(instance, values);
  };
}
