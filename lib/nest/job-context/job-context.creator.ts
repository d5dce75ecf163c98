import type { ArgumentsHost, ExecutionContext, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ContextId, ExternalContextCreator } from '@nestjs/core';
import { CHASQUI_CONTEXT_TYPE, PARAMETERS_METADATA } from '../constants.js';
import { isError } from '../../engine/base/errors.js';
import { UnknownNestError } from '../errors.js';
import type { HostInstance } from '../explorer/host.js';
import type { NestModule } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';
import { GlobalEnhancerSource, type ContextCreator, type GlobalEnhancers } from './global-enhancers.js';
import { batchCallOf, type BatchCall, type BatchParts } from './batch-call.js';
import { assertElementTypes } from './element-types.js';
import { callOf, type HandlerCall, type HandlerParts } from './handler-call.js';
import type { JobParamsFactory } from './job-params.factory.js';
import { directFill, type PreparedParameter } from './parameters.js';
import { lastValue } from './results.js';
import type { Verdicts } from './verdicts.js';

/** The part of Nest's exception handler that is used here. Its own `next` is not used. */
interface ExceptionHandler {
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}
type Callback = (...args: unknown[]) => unknown;
/** The members of Nest's creator that are private in TypeScript. */
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
/** The parts that Nest resolves for one handler. */
interface Resolved extends Pick<HandlerParts, 'guard' | 'fill' | 'parameterCount' | 'interceptors'> {
  readonly filters: ExceptionHandler;
  readonly parameters: readonly PreparedParameter[];
  /** Of the class, the method and the application. */
  readonly pipes: readonly PipeTransform[];
}
/** TypeScript cannot intersect a class with a type that has its private members as public ones. */
type NestCreator = Pick<ExternalContextCreator, keyof ExternalContextCreator> & Inside;
type TypedContext = ExecutionContext & { setType(type: string): void };

/** A method of an instance, with the DI context if the host is scoped. */
export interface Bound {
  readonly instance: HostInstance;
  readonly methodName: string;
  readonly contextId: ContextId | undefined;
  readonly inquirerId: string | undefined;
  readonly location: SourceLocation;
  /** The global enhancers that also run, before those of the class. */
  readonly globals: GlobalEnhancers;
}

/**
 * Lets Nest's context creator resolve the enhancers and parameters of a handler, and combines them itself, see
 * {@link callOf}. It derives an object from the application's creator, which stays unchanged, and overrides these parts:
 *
 * - Guards and pipes: their refusals are remembered, see {@link Verdicts}.
 * - The module: it is the module in which the class was found. Nest would search for the class among the providers of all
 *   modules. It would not find a controller and could not tell two modules apart, and it would leave out their enhancers.
 * - Global enhancers: only those that the caller names run, see {@link GlobalEnhancerSource}.
 * - Filters: an error that no filter answers fails the attempt. For Nest, the promise of an async filter would be an
 *   answer even if it resolves with nothing, so the job would complete. Nest would also log each error as unexpected. The
 *   worker already logs failed attempts, with the id of the job.
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
    return callOf(this.parts(module, bound));
  }

  /** For a handler of batches. @param enter runs what a guard or a pipe does for one job */
  createBatch(module: NestModule, bound: Bound, enter: BatchParts['enter']): BatchCall {
    const translate = (error: unknown): unknown => this.verdicts.translate(error, bound.location);
    const parts = this.parts(module, bound);
    assertElementTypes(parts.parameters, parts.pipes, bound.location);
    return batchCallOf({ ...parts, translate, enter });
  }

  private parts(module: NestModule, bound: Bound): HandlerParts & Pick<Resolved, 'parameters' | 'pipes'> {
    const { instance, methodName, location } = bound;
    const nest = this.#nest;
    const method = instance[methodName] as Callback;
    const { filters, ...resolved } = this.resolve(module, bound);
    return {
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
    };
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
        found.pipes = pipes;
        found.parameters = parameters as readonly PreparedParameter[];
        const apply = directFill(pipes, found.parameters) ?? inNest;
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

/** Fails loudly if this version of Nest works differently: otherwise enhancers would be left out silently. */
function complete(found: Partial<Resolved>, location: SourceLocation): Resolved {
  const { guard, fill, parameterCount, interceptors, filters, parameters, pipes } = found;
  if (
    guard === undefined ||
    fill === undefined ||
    parameterCount === undefined ||
    !interceptors ||
    !filters ||
    !parameters ||
    !pipes
  ) {
    throw new UnknownNestError(location);
  }
  return { guard, fill, parameterCount, interceptors, filters, parameters, pipes };
}

/** An exception handler with our own `next`, the method that Nest calls for an error. */
function withoutSilentAnswers(handler: ExceptionHandler): ExceptionHandler {
  const next = async (error: unknown, host: ArgumentsHost): Promise<unknown> => {
    const answer: unknown = await handler.invokeCustomFilters(error, host);
    const result = await lastValue(answer);
    if (result === undefined || result === null) throw error;
    // Filters written for GraphQL return the error. The attempt fails, as if the error were thrown.
    if (isError(result)) throw result;
    return result;
  };
  return Object.assign(Object.create(handler) as ExceptionHandler, { next });
}
