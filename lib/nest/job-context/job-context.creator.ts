import type { ArgumentsHost, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { ContextId, ExternalContextCreator } from '@nestjs/core';
import { CHASQUI_CONTEXT_TYPE, PARAMETERS_METADATA } from '../constants.js';
import { isError } from '../../engine/base/errors.js';
import { UnknownNestError } from '../errors.js';
import type { HostInstance } from '../explorer/host.js';
import type { NestModule } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';
import { GlobalEnhancerSource, type ContextCreator, type GlobalEnhancers } from './global-enhancers.js';
import { callOf, type HandlerCall, type HandlerParts } from './handler-call.js';
import type { JobParamsFactory } from './job-params.factory.js';
import { directFill, type PreparedParameter } from './parameters.js';
import { lastValue } from './results.js';
import type { Verdicts } from './verdicts.js';

/** The two parts of Nest's exception handling that are used here; its own `next` is not. */
interface ExceptionHandler {
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}
type Callback = (...args: unknown[]) => unknown;
/** What of Nest's creator is private to TypeScript. */
interface Inside {
  getHostModuleKey: () => string;
  guardsContextCreator: ContextCreator;
  pipesContextCreator: ContextCreator;
  filtersContextCreator: { create(...args: unknown[]): ExceptionHandler };
  interceptorsContextCreator: { create(...args: unknown[]): NestInterceptor[] };
  interceptorsConsumer: {
    createContext(args: unknown[], instance: object, callback: Callback): TypedContext;
  };
  externalErrorProxy: {
    createProxy(target: Callback, handler: ExceptionHandler, type: string): HandlerCall;
  };
}
type Overrides = Omit<Inside, 'interceptorsConsumer'> &
  Pick<ExternalContextCreator, 'createGuardsFn' | 'createPipesFn' | 'getContextModuleKey'>;
/** What Nest resolves for one handler. */
interface Resolved extends Pick<HandlerParts, 'guard' | 'fill' | 'parameterCount' | 'interceptors'> {
  readonly filters: ExceptionHandler;
}
/** TypeScript knows no intersection with a class that has them private. */
type NestCreator = Pick<ExternalContextCreator, keyof ExternalContextCreator> & Inside;
type TypedContext = ExecutionContext & { setType(type: string): void };

/** Which method of which instance, and the DI context where the instance is not the only one. */
export interface Bound {
  readonly instance: HostInstance;
  readonly methodName: string;
  readonly contextId: ContextId | undefined;
  readonly inquirerId: string | undefined;
  readonly location: SourceLocation;
  /** Those of the application that run too, before those of the class. */
  readonly globals: GlobalEnhancers;
}

/**
 * Has Nest's context creator resolve a handler's enhancers and parameters, and puts them together itself, see
 * {@link callOf}. The creator is derived from the application's, which stays as it is:
 *
 * - Guards and pipes: their refusals are remembered, see {@link Verdicts}.
 * - The module is the one that the handler's class was found in. Nest looks for it by class, among providers only: it
 *   would not find a controller, nor tell two modules apart, and then leave enhancers out.
 * - Global enhancers: those that the caller names, and not all that the application has, see {@link GlobalEnhancerSource}.
 * - Filters: what none of them answers fails the attempt. Nest would take the promise of an async filter, which resolves
 *   with nothing, for an answer, and the job for done. Nor is every error logged as unexpected: the worker logs failed
 *   attempts, with the job's id.
 */
export class JobContextCreator {
  readonly #nest: NestCreator;
  readonly #globals: GlobalEnhancerSource;

  constructor(
    base: ExternalContextCreator,
    private readonly params: JobParamsFactory,
    private readonly verdicts: Verdicts,
  ) {
    this.#nest = base as unknown as NestCreator;
    this.#globals = new GlobalEnhancerSource(base);
  }

  create(module: NestModule, bound: Bound): HandlerCall {
    const { instance, methodName, location } = bound;
    const nest = this.#nest;
    const method = instance[methodName] as Callback;
    const { filters, ...resolved } = this.resolve(module, bound);
    return callOf({
      ...resolved,
      method,
      instance,
      contextOf(args) {
        const context = nest.interceptorsConsumer.createContext(args, instance, method);
        context.setType(CHASQUI_CONTEXT_TYPE);
        return context;
      },
      recover: async (error, args) => {
        const rethrow = (): never => {
          throw error;
        };
        try {
          const filtered = nest.externalErrorProxy.createProxy(rethrow, filters, CHASQUI_CONTEXT_TYPE);
          return await filtered(...args);
        } catch (last) {
          throw this.verdicts.translate(last, location);
        }
      },
    });
  }

  private resolve(module: NestModule, bound: Bound): Resolved {
    const nest = this.#nest;
    const { verdicts } = this;
    const { instance, methodName, contextId, inquirerId, location, globals } = bound;
    const interceptors = this.#globals.creator('interceptors', globals.interceptors, location);
    const filters = this.#globals.creator('filters', globals.filters, location);
    const found: { -readonly [Key in keyof Resolved]?: Resolved[Key] } = {};

    const overrides: Overrides = {
      getContextModuleKey: () => module.token,
      getHostModuleKey: () => module.token,
      guardsContextCreator: this.#globals.creator('guards', globals.guards, location),
      pipesContextCreator: this.#globals.creator('pipes', globals.pipes, location),
      createGuardsFn(...args) {
        const activate = nest.createGuardsFn(...args) as HandlerParts['guard'];
        found.guard = activate && ((values) => verdicts.of('guard', () => activate(values)) as Promise<void>);
        return activate;
      },
      createPipesFn(pipes, parameters) {
        const inNest = nest.createPipesFn(pipes, parameters);
        const apply = directFill(pipes, parameters as readonly PreparedParameter[]) ?? inNest;
        found.fill = apply && ((values, ...args) => verdicts.of('pipe', () => apply(values, ...args)));
        found.parameterCount = Math.max(0, ...parameters.map(({ index }) => index + 1));
        return inNest;
      },
      interceptorsContextCreator: {
        create: (...args) => (found.interceptors = interceptors.create(...args)),
      },
      filtersContextCreator: {
        create: (...args) => withoutSilentAnswers(filters.create(...args)),
      },
      externalErrorProxy: {
        createProxy: (target, handler) => {
          found.filters = handler;
          return target;
        },
      },
    };
    Object.assign(Object.create(nest) as ExternalContextCreator, overrides).create(
      instance,
      instance[methodName] as Callback,
      methodName,
      PARAMETERS_METADATA,
      this.params,
      contextId,
      inquirerId,
      undefined,
      CHASQUI_CONTEXT_TYPE,
    );
    return complete(found, location);
  }
}

/** Enhancers that are left out would be a silent harm: a version of Nest that works differently must be heard of. */
function complete(found: Partial<Resolved>, location: SourceLocation): Resolved {
  const { guard, fill, parameterCount, interceptors, filters } = found;
  if (
    guard === undefined ||
    fill === undefined ||
    parameterCount === undefined ||
    !interceptors ||
    !filters
  ) {
    throw new UnknownNestError(location);
  }
  return { guard, fill, parameterCount, interceptors, filters };
}

/** A handler of exceptions whose `next` is what Nest calls for an error. */
function withoutSilentAnswers(handler: ExceptionHandler): ExceptionHandler {
  const next = async (error: unknown, host: ArgumentsHost): Promise<unknown> => {
    const answer: unknown = await handler.invokeCustomFilters(error, host);
    const result = await lastValue(answer);
    if (result === undefined || result === null) throw error;
    // Filters written for GraphQL return the error: the attempt has failed all the same.
    if (isError(result)) throw result;
    return result;
  };
  return Object.assign(Object.create(handler) as ExceptionHandler, { next });
}
