import 'reflect-metadata';
import {
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CanActivate,
  type ExceptionFilter,
  type INestApplicationContext,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  type Type,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  ExternalContextCreator,
  ModulesContainer,
} from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { CHASQUI_CONTEXT_TYPE, PARAMETERS_METADATA } from '../../lib/nest/constants.js';
import { UnknownNestError } from '../../lib/nest/errors.js';
import {
  ENHANCER_KINDS,
  GlobalEnhancerSource,
  type EnhancerKind,
} from '../../lib/nest/job-context/global-enhancers.js';
import { JobContextCreator } from '../../lib/nest/job-context/job-context.creator.js';
import { JobParamsFactory } from '../../lib/nest/job-context/job-params.factory.js';
import { Verdicts } from '../../lib/nest/job-context/verdicts.js';
import type { NestModule } from '../../lib/nest/nest-types.js';
import { JobRefusedError, PayloadRejectedError } from '../../lib/index.js';
import { SILENT } from '../support/nest.js';
import {
  FILTERS,
  GUARDS,
  HANDLERS,
  handlerThat,
  INTERCEPTORS,
  PARAMETERS,
  SIDE_BY_SIDE,
  trace,
} from './support/enhancer-table.js';

/*
 * The handlers' way through their enhancers is put together by this package, see lib/nest/job-context. Here every
 * combination runs through Nest's own, too: what is called in which order with what, and what comes of it, must be the
 * same. Where it is meant to differ (what filters leave unanswered, an Observable without a value, the kind of error
 * that a refusal becomes), the tests of enhancers and handlers say so.
 */

type Call = (...args: unknown[]) => unknown;

const ENDS = Object.entries(HANDLERS);

/** One method for each combination of everything else with these interceptors. */
function processorWith(interceptors: (typeof INTERCEPTORS)[string]) {
  @Injectable()
  class Processor {
    readonly name = 'Processor';
  }
  const prototype = Processor.prototype as unknown as Record<string, Call>;
  for (const [withGuards, guards] of Object.entries(GUARDS)) {
    for (const [withFilters, filters] of Object.entries(FILTERS)) {
      for (const [withParameters, { decorators, pipes = [] }] of Object.entries(PARAMETERS)) {
        for (const [withHandler, ends] of ENDS) {
          const name = [withGuards, withFilters, withParameters, withHandler].join(', ');
          prototype[name] = handlerThat(ends);
          const types = decorators.map((_, index) => (index === 0 ? Object : String));
          Reflect.defineMetadata('design:paramtypes', types, prototype, name);
          decorators.forEach((decorator, index) => decorator?.(prototype, name, index));
          const method = Object.getOwnPropertyDescriptor(prototype, name) as TypedPropertyDescriptor<Call>;
          UseGuards(...guards)(prototype, name, method);
          UsePipes(...pipes)(prototype, name, method);
          UseInterceptors(...interceptors)(prototype, name, method);
          UseFilters(...filters)(prototype, name, method);
        }
      }
    }
  }
  return { Processor, methods: Object.keys(prototype) };
}

const location = { className: 'Processor', moduleName: 'AppModule' };
const JOB = { id: '7', name: 'send', data: { to: 'ada', n: 1 }, attemptsMade: 2, queueName: 'mail' };

class Ways {
  readonly #nest: ExternalContextCreator;
  readonly #ours: JobContextCreator;
  readonly #params = new JobParamsFactory();
  readonly #module: NestModule;

  constructor(
    app: INestApplicationContext,
    private readonly instance: Record<string, Call>,
    nest = app.get(ExternalContextCreator, { strict: false }),
    private readonly kinds: readonly EnhancerKind[] = ENHANCER_KINDS,
  ) {
    this.#nest = nest;
    this.#ours = new JobContextCreator(this.#nest, this.#params, new Verdicts());
    const modules = [...app.get(ModulesContainer, { strict: false }).values()];
    this.#module = modules.find(({ providers }) => providers.has(instance.constructor)) as NestModule;
  }

  nest(name: string): Call {
    const method = this.instance[name] as Call;
    return this.#nest.create(
      this.instance,
      method,
      name,
      PARAMETERS_METADATA,
      this.#params,
      undefined,
      undefined,
      undefined,
      CHASQUI_CONTEXT_TYPE,
    );
  }

  ours(methodName: string): Call {
    const { instance } = this;
    return this.#ours.create(this.#module, {
      instance,
      methodName,
      contextId: undefined,
      inquirerId: undefined,
      location,
      globals: new GlobalEnhancerSource(this.#nest).static(this.kinds, location),
    });
  }
}

/** What a call does, in words, with whatever it goes on doing when it has ended. */
async function story(call: Call): Promise<string[]> {
  trace.length = 0;
  try {
    const result: unknown = await call(JOB);
    trace.push(`result ${JSON.stringify(result)}`);
  } catch (error) {
    const thrown = isRefusal(error) ? error.cause : error;
    trace.push(thrown instanceof Error ? `${thrown.constructor.name} ${thrown.message}` : String(thrown));
  }
  await new Promise(setImmediate);
  return [...trace];
}

function isRefusal(error: unknown): error is Error {
  return error instanceof JobRefusedError || error instanceof PayloadRejectedError;
}

async function startWays(
  processor: Type,
  providers: Provider[] = [],
): Promise<[Ways, INestApplicationContext]> {
  const app = await Test.createTestingModule({ providers: [processor, ...providers] })
    .setLogger(SILENT)
    .compile();
  return [new Ways(app, app.get<Record<string, Call>>(processor)), app];
}

describe.each(Object.entries({ ...INTERCEPTORS, ...SIDE_BY_SIDE }))(
  'interceptors: %s',
  (name, interceptors) => {
    it('does what Nest does, with all guards, pipes, handlers and filters', async () => {
      const { Processor, methods } = processorWith(interceptors);
      const [ways, app] = await startWays(Processor);
      const inOrder = (lines: string[]) => (name in SIDE_BY_SIDE ? lines.sort() : lines);
      for (const method of methods) {
        const expected = inOrder(await story(ways.nest(method)));
        expect(inOrder(await story(ways.ours(method))), method).toEqual(expected);
      }
      await app.close();
    });
  },
);

/** What is bound to the method, to its class, and to the application. */
describe('wherever they are bound', () => {
  const [guard] = GUARDS['guards that agree'] as [CanActivate];
  const [mapping, changingNothing] = INTERCEPTORS['one that maps round one that changes nothing'] as [
    NestInterceptor,
    NestInterceptor,
  ];
  const [adding, later] = PARAMETERS['pipes of both']?.pipes as [PipeTransform, PipeTransform];
  const [filter] = FILTERS['filters'] as [ExceptionFilter];
  const globals: Provider[] = [
    { provide: APP_GUARD, useValue: guard },
    { provide: APP_INTERCEPTOR, useValue: mapping },
    { provide: APP_PIPE, useValue: adding },
    { provide: APP_FILTER, useValue: filter },
  ];

  it.each([
    ['only on the method', [], false],
    ['on the application', globals, false],
    ['on the class', [], true],
    ['everywhere', globals, true],
  ] as const)('%s', async (_where, providers, onClass) => {
    const { Processor, methods } = processorWith([changingNothing]);
    if (onClass) {
      UseGuards(guard)(Processor);
      UseInterceptors(mapping)(Processor);
      UsePipes(later, adding)(Processor);
      UseFilters(filter)(Processor);
    }
    const [ways, app] = await startWays(Processor, [...providers]);
    for (const method of methods) {
      const expected = await story(ways.nest(method));
      expect(await story(ways.ours(method)), method).toEqual(expected);
    }
    await app.close();
  });
});

/** Without them it must be as if the application had none. */
it.each([...ENHANCER_KINDS.map((kind) => [kind] as const), []] as (readonly EnhancerKind[])[])(
  'of the application, only the selected kinds run: %s',
  async (...kinds) => {
    const [guard] = GUARDS['guards that agree'] as [CanActivate];
    const [interceptor] = INTERCEPTORS['one that maps round one that changes nothing'] as [NestInterceptor];
    const [pipe] = PARAMETERS['pipes of both']?.pipes as [PipeTransform];
    const [filter] = FILTERS['filters'] as [ExceptionFilter];
    const all: Record<EnhancerKind, Provider> = {
      guards: { provide: APP_GUARD, useValue: guard },
      interceptors: { provide: APP_INTERCEPTOR, useValue: interceptor },
      pipes: { provide: APP_PIPE, useValue: pipe },
      filters: { provide: APP_FILTER, useValue: filter },
    };
    const { Processor, methods } = processorWith([]);
    const [some, one] = await startWays(
      Processor,
      kinds.map((kind) => all[kind]),
    );
    const [, app] = await startWays(Processor, Object.values(all));
    const nest = app.get(ExternalContextCreator, { strict: false });
    const ways = new Ways(app, app.get<Record<string, Call>>(Processor), nest, kinds);
    for (const method of methods) {
      expect(await story(ways.ours(method)), method).toEqual(await story(some.nest(method)));
    }
    await Promise.all([one.close(), app.close()]);
  },
);

it('the boot fails if Nest resolves enhancers in an unknown way', async () => {
  const { Processor, methods } = processorWith([]);
  const [, app] = await startWays(Processor);
  const nest = app.get(ExternalContextCreator, { strict: false });
  const another = Object.assign(Object.create(nest) as ExternalContextCreator, { create: () => () => {} });
  const ways = new Ways(app, app.get<Record<string, Call>>(Processor), another);
  expect(() => ways.ours(methods[0] as string)).toThrow(UnknownNestError);
  await app.close();
});
