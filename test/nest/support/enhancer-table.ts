import { AsyncLocalStorage } from 'node:async_hooks';
import {
  BadRequestException,
  Catch,
  ForbiddenException,
  createParamDecorator,
  type ArgumentMetadata,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  concat,
  defer,
  firstValueFrom,
  from,
  ignoreElements,
  map,
  of,
  raceWith,
  retry,
  share,
  switchMap,
  take,
  tap,
  throwError,
  catchError,
  toArray,
} from 'rxjs';
import { JobAttempt, JobData, JobRef } from '../../../lib/index.js';

/** What was called so far, in order. Emptied before each run. */
export const trace: string[] = [];
/** What a handler can see of the interceptors round it. */
const scope = new AsyncLocalStorage<string>();

function note<T>(line: string, value: T): T {
  trace.push(line);
  return value;
}

function describe(context: ExecutionContext): string {
  const type = context.getType<string>();
  return `${type} ${context.getClass().name} ${typeof context.getHandler()} ${String(context.getArgs().length)}`;
}

const guard = (name: string, decide: () => ReturnType<CanActivate['canActivate']>): CanActivate => ({
  canActivate: (context) => {
    trace.push(`guard ${name} ${describe(context)}`);
    return decide();
  },
});

export const GUARDS: Record<string, CanActivate[]> = {
  'no guard': [],
  'guards that agree': [
    guard('a', () => true),
    guard('b', () => Promise.resolve(true)),
    guard('c', () => of(true)),
  ],
  'a guard that refuses': [guard('a', () => false), guard('b', () => true)],
  'a guard that refuses later': [guard('a', () => Promise.resolve(false))],
  'a guard that throws': [
    guard('a', () => {
      throw new ForbiddenException('not you');
    }),
  ],
};

type Intercept = (next: CallHandler, context: ExecutionContext) => unknown;

const interceptor = (name: string, run: Intercept): NestInterceptor => ({
  intercept: (context, next) => {
    trace.push(`interceptor ${name} ${describe(context)}`);
    return run(next, context) as ReturnType<NestInterceptor['intercept']>;
  },
});

const PASS = interceptor('pass', (next) => next.handle());
const TAP = interceptor('tap', (next) => next.handle().pipe(tap((value) => note(`tap ${String(value)}`, 0))));
const MAP = interceptor('map', (next) => next.handle().pipe(map((value) => `<${String(value)}>`)));
const CATCH = interceptor('catch', (next) =>
  next.handle().pipe(catchError((error: Error) => of(`caught ${error.message}`))),
);
const WRAP = interceptor('wrap', (next) =>
  next.handle().pipe(catchError((error: Error) => throwError(() => new Error(`wrapped ${error.message}`)))),
);
const IN_SCOPE = interceptor('in scope', (next) => scope.run('outer', () => next.handle()));
const IN_SCOPE_MAPPED = interceptor('in scope, mapped', (next) =>
  scope.run('inner', () => next.handle().pipe(map((value) => `(${String(value)})`))),
);
const ASYNC = interceptor('async', async (next) => {
  await Promise.resolve();
  return next.handle();
});

export const INTERCEPTORS: Record<string, NestInterceptor[]> = {
  'no interceptor': [],
  'one that changes nothing': [PASS],
  'two that change nothing': [PASS, PASS],
  'one that looks on': [TAP],
  'a row of them': [PASS, TAP, ASYNC, MAP, PASS, WRAP],
  'one that maps round one that changes nothing': [MAP, PASS],
  'one that changes nothing round one that maps': [PASS, MAP],
  'an asynchronous one': [ASYNC],
  'an asynchronous one, and another': [ASYNC, TAP],
  'one that catches': [CATCH],
  'one that catches what another throws': [CATCH, WRAP],
  'one that throws': [
    PASS,
    interceptor('throws', () => {
      throw new Error('interceptor');
    }),
  ],
  'one that rejects': [TAP, interceptor('rejects', () => Promise.reject(new Error('interceptor')))],
  'one with a value of its own': [TAP, interceptor('of', () => of('cached'))],
  'one with several values': [TAP, interceptor('several', () => from(['a', 'b']))],
  'one that waits for something first': [
    interceptor('switch', (next) => from(Promise.resolve()).pipe(switchMap(() => next.handle()))),
  ],
  'one that tries again': [TAP, interceptor('retry', (next) => next.handle().pipe(retry(2))), TAP],
  'one that runs the handler twice': [
    interceptor('twice', (next) =>
      concat(next.handle(), next.handle()).pipe(
        toArray(),
        map((values: unknown[]) => values.join()),
      ),
    ),
  ],
  'one that shares its subscription': [
    interceptor('shares', (next) => {
      const shared = next.handle().pipe(share());
      return concat(shared, shared).pipe(
        toArray(),
        map((values: unknown[]) => values.join()),
      );
    }),
  ],
  'one that awaits the result': [
    interceptor('awaits', async (next) => of(await firstValueFrom(next.handle()))),
  ],
  'one that loses a race': [interceptor('races', (next) => next.handle().pipe(raceWith(of('faster')))), TAP],
  'one that takes the first value': [interceptor('takes', (next) => next.handle().pipe(take(1)))],
  'one that unsubscribes at once': [
    interceptor('unsubscribes', (next) => {
      next.handle().subscribe().unsubscribe();
      return of('not waiting');
    }),
  ],
  'one that ignores the value': [
    interceptor('ignores', (next) => concat(next.handle().pipe(ignoreElements()), of('instead'))),
  ],
  'one with a promise for an Observable': [
    interceptor('later', () => Promise.resolve(defer(() => of('later')))),
  ],
  'one that returns nothing': [interceptor('nothing', () => undefined)],
  'one that returns a plain value': [interceptor('plain', () => 42)],
  'one that takes `handle` out of its object': [
    interceptor('destructures', ({ handle }) => handle().pipe(map((value) => `${String(value)}!`))),
  ],
  'one in an async context': [IN_SCOPE],
  'one in an async context inside of another': [IN_SCOPE, TAP, IN_SCOPE_MAPPED, PASS],
};

/** Where the handler runs more than once at a time, the runs may take turns in any way. */
export const SIDE_BY_SIDE: Record<string, NestInterceptor[]> = {
  'one that subscribes by itself, too': [
    interceptor('subscribes', (next) => {
      const handled = next.handle();
      handled.subscribe({
        next: (value) => note(`saw ${String(value)}`, 0),
        error: () => note('saw error', 0),
      });
      return note('subscribed', handled);
    }),
  ],
};

const pipe = (name: string, change: (value: unknown) => unknown): PipeTransform => ({
  transform: (value: unknown, metadata: ArgumentMetadata) => {
    const { type, data, metatype } = metadata;
    trace.push(`pipe ${name} ${JSON.stringify(value)} ${type} ${String(data)} ${String(metatype?.name)}`);
    // A pipe may do so; it must not reach the next.
    Object.assign(metadata, { data: 'overwritten' });
    return change(value);
  },
});

const ADD = pipe('add', (value) => `${JSON.stringify(value)}+`);
const LATER = pipe('later', (value) => Promise.resolve(value));
const REJECTING = pipe('rejecting', () => {
  throw new BadRequestException('no');
});
const REJECTING_LATER = pipe('rejecting later', () => Promise.reject(new BadRequestException('no, later')));
const Custom = createParamDecorator((data: unknown, context) =>
  note(`custom ${describe(context)}`, Promise.resolve(data)),
);

interface Parameters {
  /** By position; a gap is a parameter without a decorator. */
  readonly decorators: readonly (ParameterDecorator | undefined)[];
  readonly pipes?: readonly PipeTransform[];
}

export const PARAMETERS: Record<string, Parameters> = {
  'no parameter decorator': { decorators: [] },
  'no parameter decorator, but a pipe': { decorators: [], pipes: [ADD] },
  'a payload': { decorators: [JobData()] },
  'a property': { decorators: [JobData('to')] },
  'several values with a gap': { decorators: [JobData(), undefined, JobAttempt(), JobData('to')] },
  'a piped payload': { decorators: [JobData(ADD)] },
  'a piped property': { decorators: [JobData('to', ADD, LATER, ADD)] },
  'a pipe of the method': { decorators: [JobData()], pipes: [ADD, LATER] },
  'pipes of both': { decorators: [undefined, JobAttempt(ADD)], pipes: [LATER, ADD] },
  'several piped values': {
    decorators: [JobData(ADD), JobAttempt(), JobData('to', LATER, ADD)],
    pipes: [ADD],
  },
  'a pipe that refuses': { decorators: [JobData(ADD, REJECTING, ADD)] },
  'a pipe that refuses later': { decorators: [JobData(REJECTING_LATER, ADD)] },
  'two pipes that refuse': { decorators: [JobData(REJECTING_LATER), JobAttempt(REJECTING)] },
  'a decorator of the application': { decorators: [Custom('own', ADD), JobRef()] },
};

export const HANDLERS: Record<string, () => unknown> = {
  'a value': () => 'value',
  nothing: () => undefined,
  'a promise': async () => Promise.resolve('promised'),
  // Not a native promise, as those of query builders.
  'a thenable': () => ({
    then: (resolve: (value: string) => void) => {
      resolve('thenable');
    },
  }),
  'an Observable': () => of('first', 'last'),
  'a promise of an Observable': async () => Promise.resolve(of('first', 'last')),
  'an Observable that fails': () =>
    concat(
      of('first'),
      throwError(() => new Error('observable')),
    ),
  'an error': () => {
    throw new Error('thrown');
  },
  'a rejection': async () => Promise.reject(new RangeError('rejected')),
};

/** A method that says what it got, and ends in one of these ways. */
export function handlerThat(ends: () => unknown) {
  return function (this: { name: string }, ...args: unknown[]): unknown {
    const values = args.map((value) => JSON.stringify(value)).join(', ');
    trace.push(`handler of ${this.name} (${values}) in ${String(scope.getStore())}`);
    return ends();
  };
}

@Catch(RangeError, BadRequestException)
class AnsweringFilter implements ExceptionFilter {
  catch(error: Error) {
    return note(`filter ${error.message}`, `answered ${error.message}`);
  }
}

@Catch()
class MappingFilter implements ExceptionFilter {
  catch(error: Error): never {
    throw note(`filter ${error.message}`, new Error(`mapped ${error.message}`));
  }
}

export const FILTERS: Record<string, ExceptionFilter[]> = {
  'no filter': [],
  filters: [new MappingFilter(), new AnsweringFilter()],
};
