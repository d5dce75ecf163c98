import {
  BadRequestException,
  Catch,
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory, REQUEST } from '@nestjs/core';
import { catchError, from, map, of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  ConfigError,
  getQueueToken,
  isUnrecoverable,
  JobData,
  OnJob,
  OnWorkerEvent,
  Processor,
  type ChasquiModuleOptions,
  type GlobalEnhancerSettings,
  type Job,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError, logs } = useApps(redis);
const mail = () => ChasquiModule.forFeature('mail');

/** As applications have them: each reads what only an HTTP request has, or answers for everything. */
class HeaderGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['authorization'] !== undefined;
  }
}
class BodyPipe implements PipeTransform {
  transform(value: unknown) {
    if (typeof (value as { csrf?: unknown } | null)?.csrf !== 'string') throw new BadRequestException('csrf');
    return value;
  }
}
class Envelope implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { url } = context.switchToHttp().getRequest<{ url: string }>();
    return next.handle().pipe(map((data: unknown) => ({ url, data })));
  }
}
@Catch()
class Everything implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost) {
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { json(body: object): void } }>();
    response.status(500).json({ error: 'Internal server error' });
  }
}

const HTTP = { guards: HeaderGuard, pipes: BodyPipe, interceptors: Envelope, filters: Everything };
const TOKENS = { guards: APP_GUARD, pipes: APP_PIPE, interceptors: APP_INTERCEPTOR, filters: APP_FILTER };
type Kind = keyof typeof HTTP;
const KINDS = Object.keys(HTTP) as Kind[];

@Processor('mail')
class MailProcessor {
  @OnJob('send')
  send(@JobData() data: unknown) {
    return { sent: data };
  }
  @OnJob('fail')
  fail() {
    throw new RangeError('no stock');
  }
}

/** The same made for each request, and the request injected, with what only a request has read at once. */
function scoped(kind: Kind, scope: Scope): Type {
  @Injectable({ scope })
  class Scoped extends (HTTP[kind] as Type<object>) {
    readonly agent: string | undefined;
    constructor(@Inject(REQUEST) request: { headers: Record<string, string> }) {
      super();
      this.agent = request.headers['user-agent'];
    }
  }
  return Scoped;
}

const BOUND: Record<string, (kind: Kind) => Provider> = {
  'as classes': (kind) => ({ provide: TOKENS[kind], useClass: HTTP[kind] }),
  'as values': (kind) => ({ provide: TOKENS[kind], useValue: new HTTP[kind]() }),
  'request-scoped': (kind) => ({ provide: TOKENS[kind], useClass: scoped(kind, Scope.REQUEST) }),
  transient: (kind) => ({ provide: TOKENS[kind], useClass: HTTP[kind], scope: Scope.TRANSIENT }) as Provider,
};

describe.each(Object.entries(BOUND))('global enhancers that were written for HTTP, %s', (_how, provider) => {
  it.each(['a provider', 'a controller'])('leave the jobs of %s alone', async (host) => {
    @Controller()
    class MailController extends MailProcessor {}
    const place = host === 'a provider' ? { providers: [MailProcessor] } : { controllers: [MailController] };
    const app = await start({
      imports: [mail()],
      ...place,
      providers: [...(place.providers ?? []), ...KINDS.map(provider)],
    });
    expect(await runJob(app, 'mail', 'send', { to: 'ada' })).toMatchObject({
      result: { sent: { to: 'ada' } },
    });
    const { error } = await runJob(app, 'mail', 'fail', {}, { attempts: 1 });
    expect(error).toBeInstanceOf(RangeError);
    expect(await queueOf(app, 'mail').peekDlq()).toMatchObject([{ name: 'fail', detail: 'no stock' }]);
  });
});

it('do not make a processor request-scoped', async () => {
  let made = 0;
  @Processor('mail')
  class Counted {
    constructor() {
      made += 1;
    }
    @OnJob()
    any() {}
    @OnWorkerEvent('completed')
    completed() {}
  }
  const app = await start({
    imports: [mail()],
    providers: [Counted, ...KINDS.map((kind) => BOUND['request-scoped']?.(kind) as Provider)],
  });
  await runJob(app, 'mail', 'one');
  await runJob(app, 'mail', 'two');
  expect(made).toBe(1);
});

describe('of an HTTP application', () => {
  const apps: INestApplication[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it.each([
    [undefined, { sent: { csrf: 'x' } }],
    [{ interceptors: true }, 'failed'],
    [{ pipes: true }, { sent: { csrf: 'x' } }],
  ] as const)('those of app.useGlobal… with globalEnhancers %o', async (globalEnhancers, expected) => {
    @Module({
      imports: [
        ChasquiModule.forRoot({
          connection: redis.connection,
          ...(globalEnhancers && { globalEnhancers }),
        }),
        mail(),
      ],
      providers: [MailProcessor],
    })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    app.useGlobalGuards(new HeaderGuard());
    app.useGlobalPipes(new BodyPipe());
    app.useGlobalInterceptors({
      intercept: () => from(Promise.reject(new Error('failed'))),
    });
    app.useGlobalFilters({ catch: (error: Error) => (error.message === 'failed' ? 'failed' : undefined) });
    await app.init();
    // A filter that was not asked for does not answer.
    const { error, result } = await runJob(app, 'mail', 'send', { csrf: 'x' }, { attempts: 1 });
    expect(error?.message ?? result).toEqual(expected);
    expect(app.get(getQueueToken('mail'))).toBeDefined();
  });
});

/** Each leaves its mark in the result. */
const MARKS: Record<Kind, object> = {
  guards: {
    canActivate: (context: ExecutionContext) => {
      context.getArgByIndex<Job<string[]>>(0).data.push('guards');
      return true;
    },
  },
  pipes: { transform: (value: string[]) => [...value, 'pipes'] },
  interceptors: {
    intercept: (_context: ExecutionContext, next: CallHandler) =>
      next.handle().pipe(map((value: string[]) => [...value, 'interceptors'])),
  },
  filters: { catch: (error: Error) => [error.message, 'filters'] },
};

@Processor('mail')
class Marked {
  @OnJob('send')
  send(@JobData() marks: string[]) {
    return marks;
  }
  @OnJob('fail')
  fail() {
    throw new Error('thrown');
  }
}

const ASKED: readonly [GlobalEnhancerSettings | undefined, readonly Kind[]][] = [
  [true, KINDS],
  [false, []],
  [undefined, []],
  [{}, []],
  [{ guards: true, pipes: false }, ['guards']],
  [{ interceptors: true, filters: true }, ['interceptors', 'filters']],
  [{ pipes: true }, ['pipes']],
];

describe.each(ASKED)('globalEnhancers: %o', (globalEnhancers, kinds) => {
  const settings: Pick<ChasquiModuleOptions, 'globalEnhancers'> =
    globalEnhancers === undefined ? {} : { globalEnhancers };
  const marked = () => KINDS.map((kind) => ({ provide: TOKENS[kind], useValue: MARKS[kind] }));

  async function expectKinds(app: Awaited<ReturnType<typeof start>>): Promise<void> {
    const { result } = await runJob(app, 'mail', 'send', ['data']);
    const expected = (['guards', 'pipes', 'interceptors'] as const).filter((kind) => kinds.includes(kind));
    expect(result).toEqual(['data', ...expected]);
    const failed = await runJob(app, 'mail', 'fail', [], { attempts: 1 });
    expect(failed.error?.message ?? failed.result).toEqual(
      kinds.includes('filters') ? ['thrown', 'filters'] : 'thrown',
    );
  }

  it('in forRoot', async () => {
    await expectKinds(await start({ imports: [mail()], providers: [Marked, ...marked()] }, settings));
  });

  it('in forRootAsync', async () => {
    const connection = ChasquiModule.forRootAsync({
      useFactory: () => ({ connection: redis.connection, ...settings }),
    });
    await expectKinds(await start({ imports: [connection, mail()], providers: [Marked, ...marked()] }, null));
  });

  it('in forFeature overrides forRoot', async () => {
    const queue = ChasquiModule.forFeature({ name: 'mail', globalEnhancers: globalEnhancers ?? false });
    await expectKinds(
      await start(
        { imports: [queue], providers: [Marked, ...marked()] },
        { globalEnhancers: globalEnhancers !== true },
      ),
    );
  });
});

it.each([
  [{ guard: true }, 'Did you mean "guards"'],
  [{ pipes: 'yes' }, 'option "pipes" must be true or false'],
  [['pipes'], '"globalEnhancers" must be true, false, or an object'],
  ['pipes', '"globalEnhancers" must be true, false, or an object'],
  [null, '"globalEnhancers" must be true, false, or an object'],
])('globalEnhancers: %o stops the boot', async (globalEnhancers, message) => {
  const settings = globalEnhancers as GlobalEnhancerSettings;
  const error = await startError({ imports: [mail()], providers: [Marked] }, { globalEnhancers: settings });
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toContain('ChasquiModule.forRoot (connection "default")');
  expect(error.message).toContain(message);
});

it.each([Scope.REQUEST, Scope.TRANSIENT])(
  'on request, those with scope %s are made for each job',
  async (scope) => {
    const seen: unknown[] = [];
    @Injectable({ scope })
    class ScopedGuard implements CanActivate {
      constructor(@Inject(REQUEST) private readonly job: Job) {}
      canActivate(): boolean {
        seen.push(this, this.job.name);
        return true;
      }
    }
    const app = await start(
      { imports: [mail()], providers: [MailProcessor, { provide: APP_GUARD, useClass: ScopedGuard }] },
      { globalEnhancers: { guards: true } },
    );
    expect((await runJob(app, 'mail', 'send')).error).toBeUndefined();
    expect((await runJob(app, 'mail', 'fail')).error?.message).toBe('no stock');
    expect([seen[1], seen[3]]).toEqual(['send', 'fail']);
    expect(seen[0]).not.toBe(seen[2]);
  },
);

describe('enhancers of classes and methods always run', () => {
  it.each([Scope.DEFAULT, Scope.TRANSIENT, Scope.REQUEST])('with scope %s', async (scope) => {
    let ready = 0;
    @Injectable({ scope })
    class Allowed implements CanActivate {
      readonly allowed = new Set(['send']);
      canActivate(context: ExecutionContext): boolean {
        // Undefined in what Nest has made of the prototype alone.
        ready += this.allowed.size;
        return this.allowed.has(context.getArgByIndex<Job>(0).name);
      }
    }
    @Processor('mail')
    @UseGuards(Allowed)
    class Guarded {
      @OnJob()
      any(job: Job) {
        return job.name;
      }
    }
    const app = await start({
      imports: [mail()],
      providers: [Guarded, ...KINDS.map((kind) => BOUND['request-scoped']?.(kind) as Provider)],
    });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'send' });
    expect((await runJob(app, 'mail', 'other')).error).toMatchObject({ code: 'CMQ-323' });
    expect(ready).toBe(2);
  });
});

describe('an error that is returned and not thrown', () => {
  class Denied extends Error {}
  const returning = (value: unknown): ExceptionFilter => ({ catch: () => value });

  const handling: NestInterceptor = {
    intercept: (_context, next) =>
      next.handle().pipe(catchError((error: Error) => of(`handled ${error.message}`))),
  };

  @Processor('mail')
  class Returning {
    @OnJob('by the handler')
    handler() {
      return new Denied('no');
    }
    @OnJob('by a promise')
    async promise() {
      return Promise.resolve(new Denied('no'));
    }
    @OnJob('by an Observable')
    observable() {
      return of('first', new Denied('no'));
    }
    @OnJob('by an interceptor')
    @UseInterceptors({ intercept: () => of(new Denied('no')) })
    interceptor() {
      return 'not reached';
    }
    @OnJob('by a filter')
    @UseFilters(returning(new Denied('no')))
    filter() {
      throw new Error('another');
    }
    @OnJob('by an async filter')
    @UseFilters(returning(Promise.resolve(new Denied('no'))))
    asyncFilter() {
      throw new Error('another');
    }
    @OnJob('by a filter in an Observable')
    @UseFilters(returning(of(new Denied('no'))))
    observableFilter() {
      throw new Error('another');
    }
    @OnJob('to an interceptor')
    @UseInterceptors(handling)
    handled() {
      return new Denied('no');
    }
    @OnJob('to two interceptors')
    @UseInterceptors(handling, { intercept: (_context, next) => next.handle().pipe(map(() => 'a result')) })
    async handledLater() {
      return Promise.resolve(new Denied('no'));
    }
    @OnJob('refused')
    @UseGuards({ canActivate: () => false })
    @UseFilters({ catch: (error: unknown) => error })
    refused() {
      return 'not reached';
    }
  }

  it.each([
    'by the handler',
    'by a promise',
    'by an Observable',
    'by an interceptor',
    'by a filter',
    'by an async filter',
    'by a filter in an Observable',
  ])('%s fails the attempt', async (name) => {
    const app = await start({ imports: [mail()], providers: [Returning] });
    const { error } = await runJob(app, 'mail', name, {}, { attempts: 1 });
    expect(error).toBeInstanceOf(Denied);
    expect(await queueOf(app, 'mail').peekDlq()).toMatchObject([
      { reason: 'retries_exhausted', detail: 'no' },
    ]);
    expect(logs.filter((line) => line.includes('completed'))).toEqual([]);
  });

  it.each(['to an interceptor', 'to two interceptors'])('%s reaches its catchError', async (name) => {
    const app = await start({ imports: [mail()], providers: [Returning] });
    expect(await runJob(app, 'mail', name)).toMatchObject({ result: 'handled no' });
  });

  it.each(['by the handler', 'by a promise', 'by an Observable', 'by an interceptor'])(
    '%s reaches the exception filter',
    async (name) => {
      @Catch(Denied)
      class Answering implements ExceptionFilter {
        catch(error: Denied) {
          return `answered ${error.message}`;
        }
      }
      const filter = { provide: APP_FILTER, useClass: Answering };
      const app = await start(
        { imports: [mail()], providers: [Returning, filter] },
        { globalEnhancers: { filters: true } },
      );
      expect(await runJob(app, 'mail', name)).toMatchObject({ result: 'answered no' });
    },
  );

  it('and is a refusal refuses for good', async () => {
    const app = await start({ imports: [mail()], providers: [Returning] });
    const { error } = await runJob(app, 'mail', 'refused', {}, { attempts: 5 });
    expect(error).toMatchObject({ code: 'CMQ-323' });
    expect(isUnrecoverable(error)).toBe(true);
  });
});
