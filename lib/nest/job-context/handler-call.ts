import type { ExecutionContext, NestInterceptor } from '@nestjs/common';
import { InterceptorChain } from './interceptor-chain.js';
import type { FillParameters } from './parameters.js';
import { flatten, isPromise } from './results.js';

/** A handler and what surrounds it, as Nest has resolved them. */
export interface HandlerParts {
  readonly guard: ((args: unknown[]) => Promise<void>) | null;
  readonly interceptors: readonly NestInterceptor[];
  readonly contextOf: (args: unknown[]) => ExecutionContext;
  /** Null where no parameter is decorated: then the method gets the arguments as they are. */
  readonly fill: FillParameters | null;
  readonly parameterCount: number;
  readonly method: (...args: unknown[]) => unknown;
  readonly instance: object;
  /** The exception filters: it returns an answer, or throws. */
  readonly recover: (error: unknown, args: unknown[]) => Promise<unknown>;
}

export type HandlerCall = (...args: unknown[]) => unknown;

/**
 * Guards, interceptors, pipes, the method; on an error the filters. What is not there costs nothing, and what needs no
 * promise makes none: for a job with an empty handler, Nest's own way through costs more than all of the engine.
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
    // One for all that the interceptors call of it: a second call finds what the first has left.
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
