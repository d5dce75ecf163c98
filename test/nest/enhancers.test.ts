import {
  BadRequestException,
  Catch,
  Controller,
  ForbiddenException,
  Inject,
  Injectable,
  Scope,
  SetMetadata,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, Reflector } from '@nestjs/core';
import { IsEmail, IsInt, Min } from 'class-validator';
import { catchError, map, of, tap, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  JobData,
  JobExecutionContext,
  JobRef,
  JOB_REF,
  OnJob,
  Processor,
  isUnrecoverable,
  type Job,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps } from './support/apps.js';

const redis = useRedis();
const { start, logs } = useApps(redis);

const mail = () => ChasquiModule.forFeature('mail');

class MailDto {
  @IsEmail()
  to!: string;

  @IsInt()
  @Min(1)
  copies!: number;
}

describe('pipes', () => {
  @Processor('mail')
  class MailProcessor {
    @OnJob('bound')
    bound(@JobData(ValidationPipe) dto: MailDto) {
      return dto;
    }
    @OnJob('transformed')
    transformed(@JobData(new ValidationPipe({ transform: true })) dto: MailDto) {
      return dto instanceof MailDto;
    }
    @OnJob('method')
    @UsePipes(new ValidationPipe())
    method(@JobData() dto: MailDto, @JobRef() job: Job) {
      return [dto, job.name];
    }
    @OnJob('unbound')
    unbound(@JobData() dto: MailDto) {
      return dto;
    }
    @OnJob('property')
    property(@JobData('to', { transform: (value: string) => value.toUpperCase() }) to: string) {
      return to;
    }
    @OnJob('rejecting itself')
    throws() {
      throw new BadRequestException('not the payload');
    }
    @OnJob('failing pipe')
    failing(@JobData({ transform: () => Promise.reject(new Error('no database')) }) data: unknown) {
      return data;
    }
  }

  const good = { to: 'ada@example.com', copies: 2 };
  const bad = { to: 'ada', copies: 0 };

  it.each(['bound', 'method'])(
    '%s: a payload that breaks its DTO is dead-lettered with the violations',
    async (name) => {
      const app = await start({ imports: [mail()], providers: [MailProcessor] });
      expect((await runJob(app, 'mail', name, good)).error).toBeUndefined();
      const { error } = await runJob(app, 'mail', name, bad, { attempts: 5 });
      expect(error).toMatchObject({
        code: 'CMQ-322',
        violations: ['to must be an email', 'copies must not be less than 1'],
      });
      const [letter] = await queueOf(app, 'mail').peekDlq();
      expect(letter).toMatchObject({ reason: 'unrecoverable', data: bad, attempts: 1 });
      expect(letter?.detail).toBe(
        `Payload rejected by a pipe of MailProcessor.${name} (AppModule): to must be an email; copies must not be less than 1`,
      );
    },
  );

  it('transform what the handler gets', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', 'transformed', good)).toMatchObject({ result: true });
    expect(await runJob(app, 'mail', 'property', good)).toMatchObject({ result: 'ADA@EXAMPLE.COM' });
  });

  it('are global too, on request', async () => {
    const app = await start(
      {
        imports: [mail()],
        providers: [MailProcessor, { provide: APP_PIPE, useValue: new ValidationPipe() }],
      },
      { globalEnhancers: { pipes: true } },
    );
    expect((await runJob(app, 'mail', 'unbound', bad)).error).toMatchObject({ code: 'CMQ-322' });
  });

  it('that fail for another reason fail the attempt only', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { error } = await runJob(app, 'mail', 'failing pipe', good);
    expect(error?.message).toBe('no database');
    expect(isUnrecoverable(error)).toBe(false);
  });

  it('are not blamed for what the handler throws', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { error } = await runJob(app, 'mail', 'rejecting itself', good);
    expect(error).toBeInstanceOf(BadRequestException);
    expect(isUnrecoverable(error)).toBe(false);
  });
});

describe('guards', () => {
  const Roles = (...roles: string[]) => SetMetadata('roles', roles);

  @Injectable()
  class RolesGuard implements CanActivate {
    constructor(@Inject(Reflector) private readonly reflector: Reflector) {}
    canActivate(context: ExecutionContext): boolean {
      const roles = this.reflector.getAllAndOverride<string[] | undefined>('roles', [
        context.getHandler(),
        context.getClass(),
      ]);
      const { role } = JobExecutionContext.create<{ role: string }>(context).getData();
      return roles?.includes(role) ?? true;
    }
  }

  class MailProcessor {
    @OnJob('send')
    @Roles('admin')
    send() {
      return 'sent';
    }
    @OnJob('unauthorized')
    @UseGuards({
      canActivate: () => {
        throw new UnauthorizedException('who are you');
      },
    })
    unauthorized() {
      return 'not reached';
    }
    @OnJob('broken')
    @UseGuards({ canActivate: () => Promise.reject(new Error('no database')) })
    broken() {
      return 'not reached';
    }
    @OnJob('forbidding')
    forbidding() {
      throw new ForbiddenException();
    }
  }

  @Processor('mail')
  @UseGuards(RolesGuard)
  class GuardedProvider extends MailProcessor {}

  @Controller()
  @Processor('mail')
  @UseGuards(RolesGuard)
  class GuardedController extends MailProcessor {}

  @Processor('mail')
  class Unguarded extends MailProcessor {}

  it.each([
    ['a provider', { providers: [GuardedProvider] }],
    ['a controller', { controllers: [GuardedController] }],
    ['a class under a token', { providers: [{ provide: 'MAIL', useClass: GuardedProvider }] }],
    ['everything', { providers: [Unguarded, { provide: APP_GUARD, useClass: RolesGuard }] }],
  ])('of %s refuse for good', async (_what, metadata) => {
    const app = await start({ imports: [mail()], ...metadata }, { globalEnhancers: true });
    expect(await runJob(app, 'mail', 'send', { role: 'admin' })).toMatchObject({ result: 'sent' });
    const { error } = await runJob(app, 'mail', 'send', { role: 'guest' }, { attempts: 5 });
    expect(error).toMatchObject({ code: 'CMQ-323' });
    expect(error?.message).toContain('.send (AppModule): Forbidden resource');
    expect(await queueOf(app, 'mail').peekDlq()).toMatchObject([{ reason: 'unrecoverable', attempts: 1 }]);
  });

  it('that throw a refusal refuse for good too', async () => {
    const app = await start({ imports: [mail()], providers: [GuardedProvider] });
    expect(await runJob(app, 'mail', 'unauthorized')).toMatchObject({ error: { code: 'CMQ-323' } });
  });

  it('that cannot decide fail the attempt only, as does a handler that forbids', async () => {
    const app = await start({ imports: [mail()], providers: [GuardedProvider] });
    const broken = await runJob(app, 'mail', 'broken');
    expect(broken.error?.message).toBe('no database');
    const forbidding = await runJob(app, 'mail', 'forbidding');
    expect(forbidding.error).toBeInstanceOf(ForbiddenException);
    expect([broken, forbidding].some(({ error }) => isUnrecoverable(error))).toBe(false);
  });

  it.each(['bound', 'global'])('that are request-scoped get the job: %s', async (kind) => {
    @Injectable({ scope: Scope.REQUEST })
    class ScopedGuard implements CanActivate {
      constructor(@Inject(JOB_REF) private readonly job: Job<{ role: string }>) {}
      canActivate(): boolean {
        return this.job.data.role === 'admin';
      }
    }
    @Processor('mail')
    @UseGuards(...(kind === 'bound' ? [ScopedGuard] : []))
    class Scoped extends MailProcessor {}
    const app = await start(
      {
        imports: [mail()],
        providers: [Scoped, ...(kind === 'global' ? [{ provide: APP_GUARD, useClass: ScopedGuard }] : [])],
      },
      { globalEnhancers: { guards: true } },
    );
    expect(await runJob(app, 'mail', 'send', { role: 'admin' })).toMatchObject({ result: 'sent' });
    expect(await runJob(app, 'mail', 'send', { role: 'guest' })).toMatchObject({
      error: { code: 'CMQ-323' },
    });
  });
});

describe('interceptors', () => {
  it('run around the handler, map its result and see its error', async () => {
    const seen: string[] = [];
    @Injectable()
    class Logging implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler) {
        const { name } = JobExecutionContext.create(context).getJob();
        seen.push(`before ${name} of ${context.getClass().name}`);
        return next.handle().pipe(
          tap({ next: () => seen.push(`after ${name}`) }),
          map((result: unknown) => ({ result })),
          catchError((error: Error) => throwError(() => new Error(`wrapped: ${error.message}`))),
        );
      }
    }
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      @UseInterceptors(Logging)
      send() {
        return of('sent');
      }
      @OnJob('fail')
      @UseInterceptors(Logging)
      fail() {
        throw new Error('no');
      }
      @OnJob('cached')
      @UseInterceptors({ intercept: () => of('cached') })
      cached() {
        throw new Error('is not called');
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: { result: 'sent' } });
    expect(seen).toEqual(['before send of MailProcessor', 'after send']);
    expect((await runJob(app, 'mail', 'fail')).error?.message).toBe('wrapped: no');
    expect(await runJob(app, 'mail', 'cached')).toMatchObject({ result: 'cached' });
  });

  it('are global too, on request', async () => {
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      send() {
        return 'sent';
      }
    }
    const interceptor: NestInterceptor = {
      intercept: (_context, next) => next.handle().pipe(map((result) => `global ${String(result)}`)),
    };
    const app = await start(
      {
        imports: [mail()],
        providers: [MailProcessor, { provide: APP_INTERCEPTOR, useValue: interceptor }],
      },
      { globalEnhancers: { interceptors: true } },
    );
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'global sent' });
  });
});

describe('exception filters', () => {
  class Known extends Error {}

  function filter(answer: (error: Error, host: ArgumentsHost) => unknown): ExceptionFilter {
    @Catch(Known)
    class KnownFilter implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost) {
        return answer(error, host);
      }
    }
    return new KnownFilter();
  }

  const answering = filter((error) => `answered ${error.message}`);
  const logging = filter(() => undefined);
  const asyncLogging = filter(() => Promise.resolve());
  const mapping = filter((error) => {
    throw new Error(`mapped ${error.message}`);
  });
  const asyncMapping = filter((error) => Promise.reject(new Error(`mapped ${error.message}`)));
  const observing = filter(() => of('observed'));
  const falsy = filter(() => 0);

  @Processor('mail')
  class MailProcessor {
    @OnJob('answered')
    @UseFilters(answering)
    answered() {
      throw new Known('error');
    }
    @OnJob('observed')
    @UseFilters(observing)
    observed() {
      throw new Known('error');
    }
    @OnJob('falsy')
    @UseFilters(falsy)
    falsy() {
      throw new Known('error');
    }
    @OnJob('logged')
    @UseFilters(logging)
    logged() {
      throw new Known('error');
    }
    @OnJob('logged later')
    @UseFilters(asyncLogging)
    loggedLater() {
      throw new Known('error');
    }
    @OnJob('mapped')
    @UseFilters(mapping)
    mapped() {
      throw new Known('error');
    }
    @OnJob('mapped later')
    @UseFilters(asyncMapping)
    mappedLater() {
      throw new Known('error');
    }
    @OnJob('other')
    @UseFilters(answering)
    other() {
      throw new Error('error');
    }
  }

  it.each([
    ['answered', 'answered error'],
    ['observed', 'observed'],
    ['falsy', 0],
  ])('that answer complete the job: %s', async (name, result) => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    expect(await runJob(app, 'mail', name)).toMatchObject({ result });
  });

  it.each([
    ['logged', 'error'],
    ['logged later', 'error'],
    ['mapped', 'mapped error'],
    ['mapped later', 'mapped error'],
    ['other', 'error'],
  ])('that do not answer fail the attempt: %s', async (name, message) => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { error } = await runJob(app, 'mail', name);
    expect(error?.message).toBe(message);
  });

  it('are global too, on request, and see what a pipe threw', async () => {
    const seen: unknown[] = [];
    @Catch()
    class Everything implements ExceptionFilter {
      catch(error: unknown, host: ArgumentsHost) {
        seen.push(error, JobExecutionContext.create(host).getJob().name);
      }
    }
    @Processor('mail')
    class Piped {
      @OnJob('send')
      send(@JobData(new ValidationPipe()) dto: MailDto) {
        return dto;
      }
    }
    const app = await start(
      { imports: [mail()], providers: [Piped, { provide: APP_FILTER, useClass: Everything }] },
      { globalEnhancers: { filters: true } },
    );
    expect((await runJob(app, 'mail', 'send')).error).toMatchObject({ code: 'CMQ-322' });
    expect(seen).toEqual([expect.any(BadRequestException), 'send']);
  });

  it('an error is logged once with its job, without a filter', async () => {
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { job } = await runJob(app, 'mail', 'other');
    expect(logs.filter((line) => line.includes(job.id))).toEqual([
      `Job ${job.id} "other" of queue "mail" failed at attempt 1: error`,
    ]);
  });
});

it('runs the enhancers in the order of Nest', async () => {
  const seen: string[] = [];
  const step = (what: string) => {
    seen.push(what);
    return true;
  };
  const guard: CanActivate = { canActivate: () => step('guard') };
  const interceptor: NestInterceptor = {
    intercept: (_context, next) => {
      step('interceptor');
      return next.handle();
    },
  };
  const pipe: PipeTransform = {
    transform: (value: unknown) => {
      step('pipe');
      return value;
    },
  };
  @Processor('mail')
  @UseGuards(guard)
  @UseInterceptors(interceptor)
  class MailProcessor {
    @OnJob('send')
    send(@JobData(pipe) _data: unknown) {
      step('handler');
    }
  }
  const app = await start({ imports: [mail()], providers: [MailProcessor] });
  await runJob(app, 'mail', 'send');
  expect(seen).toEqual(['guard', 'interceptor', 'pipe', 'handler']);
});
