import { ExternalContextCreator } from '@nestjs/core';
import type { ArgumentsHost } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { NestModule } from '../nest-types.js';
import type { Verdicts } from './verdicts.js';

/** The two parts of Nest's exception handling that are used here; its own `next` is not. */
interface ExceptionHandler {
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}
interface FiltersContextCreator {
  create(...args: unknown[]): ExceptionHandler;
}

/**
 * Nest's context creator as jobs need it: one derived from the application's for each module, which stays as it is.
 *
 * - Guards and pipes: their refusals are remembered, see {@link Verdicts}.
 * - The module is the one that the handler's class was found in. Nest looks for it by class, among providers only: it
 *   would not find a controller, nor tell two modules apart, and then leave enhancers out.
 * - Filters: what none of them answers fails the attempt. Nest would take the promise of an async filter, which resolves
 *   with nothing, for an answer, and the job for done. Nor is every error logged as unexpected: the worker logs failed
 *   attempts, with the job's id.
 * - An Observable without a value means a handler without a result, not an error.
 */
export function deriveContextCreator(
  base: ExternalContextCreator,
  module: NestModule,
  verdicts: Verdicts,
): ExternalContextCreator {
  type Parts = Pick<
    ExternalContextCreator,
    'createGuardsFn' | 'createPipesFn' | 'getContextModuleKey' | 'transformToResult'
  > & { getHostModuleKey: () => string; filtersContextCreator: FiltersContextCreator };

  const filters = (base as unknown as Parts).filtersContextCreator;
  const parts: Parts = {
    createGuardsFn(...args) {
      const guard = base.createGuardsFn(...args) as ((args: unknown[]) => Promise<void>) | null;
      return guard && ((values: unknown[]) => verdicts.by('guard', () => guard(values)));
    },
    createPipesFn(...args) {
      const pipes = base.createPipesFn(...args);
      return pipes && ((values, ...params) => verdicts.by('pipe', () => pipes(values, ...params)));
    },
    async transformToResult(result: unknown) {
      return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    },
    getContextModuleKey: () => module.token,
    getHostModuleKey: () => module.token,
    filtersContextCreator: {
      create: (...args) => withoutSilentAnswers(filters.create(...args)),
    },
  };
  return Object.assign(Object.create(base) as ExternalContextCreator, parts);
}

/** A handler of exceptions whose `next` is what Nest calls for an error. */
function withoutSilentAnswers(handler: ExceptionHandler): ExceptionHandler {
  const next = async (error: unknown, host: ArgumentsHost): Promise<unknown> => {
    const answer: unknown = await handler.invokeCustomFilters(error, host);
    const result: unknown = isObservable(answer)
      ? await lastValueFrom(answer, { defaultValue: undefined })
      : answer;
    if (result === undefined || result === null) throw error;
    return result;
  };
  return Object.assign(Object.create(handler) as ExceptionHandler, { next });
}
