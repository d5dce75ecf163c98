import {
  BadRequestException,
  Catch,
  Controller,
  createParamDecorator,
  ForbiddenException,
  Inject,
  Injectable,
  ParseIntPipe,
  Scope,
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
  type INestApplicationContext,
  type NestInterceptor,
} from '@nestjs/common';
import { IsInt, Min } from 'class-validator';
import { from, map, tap } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  BatchResultError,
  ChasquiModule,
  ChasquiWorkers,
  currentJob,
  JobAttempt,
  JobData,
  JobExecutionContext,
  JobId,
  JobRef,
  JobRefusedError,
  JobSignal,
  JOB_REF,
  OnJob,
  PayloadRejectedError,
  Processor,
  Repeat,
  UnrecoverableError,
  type Job,
  type OnJobOptions,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runsOf, useApps, type Run } from './support/apps.js';

const redis = useRedis();
const { start, startError } = useApps(redis);

const queue = () => ChasquiModule.forFeature({ name: 'rows', workerOptions: { autorun: false } });
const size = (jobs: number): OnJobOptions => ({ batches: { size: jobs } });

class RowDto {
  @IsInt()
  @Min(0)
  value!: number;
}

/** What the handlers, guards and interceptors of a test have seen. */
let seen: unknown[] = [];
beforeEach(() => {
  seen = [];
});

/** Adds jobs, starts the worker, and waits until the first attempt of each has ended. By id. */
async function runAll(
  app: INestApplicationContext,
  jobs: readonly (readonly [name: string, data: unknown])[],
): Promise<Record<string, Run>> {
  await queueOf(app, 'rows').addBulk(
    jobs.map(([name, data], index) => ({ name, data, opts: { jobId: `job-${String(index)}`, attempts: 1 } })),
  );
  const starting = app.get(ChasquiWorkers).start('rows');
  const runs = runsOf(app, 'rows');
  const ended: Record<string, Run> = {};
  while (Object.keys(ended).length < jobs.length) {
    const { value } = await runs.next();
    ended[value.job.id] = value;
  }
  await starting;
  return ended;
}

const outcomes = (runs: Record<string, Run>): unknown[] =>
  Object.keys(runs)
    .sort()
    .map((id) => runs[id]?.error ?? runs[id]?.result);

@Injectable()
class NoNegatives implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const job = JobExecutionContext.create<{ value: number }>(context).getJob();
    seen.push(['guard', job.id, currentJob()?.job.id, JobExecutionContext.create(context).isBatch()]);
    return job.data.value >= 0;
  }
}

class Counting implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const batch = JobExecutionContext.create(context);
    seen.push(['before', batch.isBatch(), batch.getJobs().map(({ id }) => id), batch.getQueueName()]);
    return next.handle().pipe(
      tap((results) => {
        seen.push(['after', results]);
      }),
    );
  }
}

describe('a handler with batches', () => {
  @Processor('rows')
  class Rows {
    @OnJob('a', /^b/, size(10))
    store(jobs: Job[], signal: AbortSignal) {
      seen.push([jobs.map(({ name }) => name), signal instanceof AbortSignal]);
      return from([jobs.map(({ id }) => `stored ${id}`)]);
    }

    @OnJob('single')
    single(job: Job) {
      seen.push([job.name]);
      return 'single';
    }

    @OnJob(size(2))
    rest(jobs: Job[]) {
      seen.push(jobs.map(({ name }) => name));
    }
  }

  it('gets the jobs of all its names, beside handlers that get one job', async () => {
    const app = await start({ imports: [queue()], providers: [Rows] });
    const names = ['a', 'b1', 'single', 'x', 'b2', 'y', 'z'];
    const runs = await runAll(
      app,
      names.map((name) => [name, null]),
    );
    expect(outcomes(runs)).toEqual([
      ...['stored job-0', 'stored job-1', 'single', undefined, 'stored job-4', undefined, undefined],
    ]);
    expect(seen).toHaveLength(4);
    expect(seen).toEqual(expect.arrayContaining([[['a', 'b1', 'b2'], true], ['single'], ['x', 'y'], ['z']]));
  });

  it('waits for its least size while other handlers of the queue run', async () => {
    @Processor('rows', { concurrency: 1 })
    class Waiting {
      @OnJob('rare', { batches: { size: 5, minSize: 5, timeoutMs: 700 } })
      rare(jobs: Job[]) {
        seen.push(jobs.length);
      }

      @OnJob('usual')
      usual() {
        seen.push('usual');
      }
    }
    const app = await start({ imports: [queue()], providers: [Waiting] });
    await runAll(app, [
      ['rare', 0],
      ['usual', 0],
      ['rare', 0],
      ['usual', 0],
    ]);
    expect(seen).toEqual(['usual', 'usual', 2]);
  });

  it('fails single jobs by job.fail and by an error among the results', async () => {
    @Controller()
    @Processor('rows')
    class Failing {
      @OnJob(size(5))
      store(jobs: Job<number>[]) {
        jobs[0]?.fail(new Error('by itself'));
        return jobs.map(({ data }) => (data === 1 ? new Error('one') : data));
      }
    }
    const app = await start({ imports: [queue()], controllers: [Failing] });
    const runs = await runAll(app, [
      ['a', 0],
      ['a', 1],
      ['a', 2],
    ]);
    expect(outcomes(runs)).toEqual([new Error('by itself'), new Error('one'), 2]);
  });

  it('also runs the jobs of @Repeat', async () => {
    @Processor('rows')
    class Ticking {
      @OnJob('tick', size(5))
      @Repeat('* * * * * *')
      tick(jobs: Job[]) {
        seen.push(jobs.length);
      }
    }
    const app = await start({
      imports: [ChasquiModule.forFeature('rows')],
      providers: [Ticking],
    });
    await runsOf(app, 'rows').next();
    expect(seen).toEqual([1]);
  });
});

describe('guards and pipes of a batch', () => {
  @UseGuards(NoNegatives)
  @Processor('rows')
  class Guarded {
    @UseInterceptors(Counting)
    @OnJob('row', size(10))
    store(jobs: Job[]) {
      seen.push(['handler', jobs.map(({ id }) => id), currentJob()]);
      return jobs.map(({ id }) => id);
    }
  }

  it('run for each job: a refused one leaves the batch by itself', async () => {
    const app = await start({ imports: [queue()], providers: [Guarded] }, { trackCurrentJob: true });
    const runs = await runAll(app, [
      ['row', { value: 1 }],
      ['row', { value: -1 }],
      ['row', { value: 2 }],
    ]);
    expect(outcomes(runs)).toEqual(['job-0', expect.any(JobRefusedError), 'job-2']);
    expect(seen).toEqual([
      ['guard', 'job-0', 'job-0', false],
      ['guard', 'job-1', 'job-1', false],
      ['guard', 'job-2', 'job-2', false],
      ['before', true, ['job-0', 'job-2'], 'rows'],
      ['handler', ['job-0', 'job-2'], undefined],
      ['after', ['job-0', 'job-2']],
    ]);
  });

  it('leave no call where they refuse all jobs', async () => {
    const app = await start({ imports: [queue()], providers: [Guarded] });
    const runs = await runAll(app, [['row', { value: -1 }]]);
    expect(outcomes(runs)).toEqual([expect.any(JobRefusedError)]);
    expect(seen).toEqual([['guard', 'job-0', undefined, false]]);
  });

  const Doubled = createParamDecorator((_: unknown, context: ExecutionContext) => {
    return JobExecutionContext.create<{ value: number }>(context).getData().value * 2;
  });

  @Processor('rows')
  class Decorated {
    @OnJob('dto', size(10))
    dto(
      @JobData(new ValidationPipe({ expectedType: RowDto, transform: true })) rows: RowDto[],
      @JobRef() jobs: Job[],
      @JobId() ids: string[],
      @JobAttempt() attempts: number[],
      @JobSignal() signal: AbortSignal,
      @Doubled() doubled: number[],
    ) {
      seen.push([rows, jobs.map(({ id }) => id), ids, attempts, signal instanceof AbortSignal, doubled]);
      return rows.map((row) => row instanceof RowDto);
    }

    @OnJob('property', size(10))
    property(@JobData('value', ParseIntPipe) values: number[]) {
      return values.map((value) => value + 1);
    }
  }

  it('fill decorated parameters with arrays; a job that a pipe refuses leaves the batch', async () => {
    const app = await start({ imports: [queue()], providers: [Decorated] });
    const runs = await runAll(app, [
      ['dto', { value: 1 }],
      ['dto', { value: -1 }],
      ['dto', { value: 'no number' }],
      ['dto', { value: 4 }],
    ]);
    expect(outcomes(runs)).toEqual([
      true,
      expect.any(PayloadRejectedError),
      expect.any(PayloadRejectedError),
      true,
    ]);
    expect(String(runs['job-1']?.error)).toContain('value must not be less than 0');
    const ids = ['job-0', 'job-3'];
    expect(seen).toEqual([[[{ value: 1 }, { value: 4 }], ids, ids, [1, 1], true, [2, 8]]]);
  });

  it('transform one property of each payload', async () => {
    const app = await start({ imports: [queue()], providers: [Decorated] });
    const runs = await runAll(app, [
      ['property', { value: '1' }],
      ['property', { value: 'x' }],
      ['property', null],
      ['property', { value: '4' }],
    ]);
    const rejected: unknown = expect.any(PayloadRejectedError);
    expect(outcomes(runs)).toEqual([2, rejected, rejected, 5]);
  });
});

describe('interceptors and filters of a batch', () => {
  @Catch(BadRequestException)
  class Answering implements ExceptionFilter {
    catch(error: Error, host: ArgumentsHost) {
      const jobs = JobExecutionContext.create(host).getJobs();
      seen.push(['filter', error.message, jobs.length]);
      return error.message === 'answer' ? jobs.map(({ id }) => `answered ${id}`) : undefined;
    }
  }

  class Shorter implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler<unknown[]>) {
      return next.handle().pipe(map((results) => results.slice(1)));
    }
  }

  class OldStyle implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler) {
      seen.push(JobExecutionContext.create(context).getJob());
      return next.handle();
    }
  }

  @UseFilters(Answering)
  @Processor('rows')
  class Intercepted {
    @OnJob('answer', size(5))
    answer(jobs: Job[]) {
      seen.push(jobs.length);
      throw new BadRequestException('answer');
    }

    @OnJob('fails', size(5))
    fails() {
      throw new BadRequestException('fails');
    }

    @UseInterceptors(Shorter)
    @OnJob('shorter', size(5))
    shorter(jobs: Job[]) {
      return jobs.map(({ id }) => id);
    }

    @UseInterceptors(OldStyle)
    @OnJob('old', size(5))
    old() {}

    @OnJob('final', size(5))
    final() {
      throw new UnrecoverableError('all');
    }
  }

  it.each([
    ['answer', ['answered job-0', 'answered job-1'], [2, ['filter', 'answer', 2]]],
    ['fails', [new BadRequestException('fails'), new BadRequestException('fails')], [['filter', 'fails', 2]]],
    ['final', [new UnrecoverableError('all'), new UnrecoverableError('all')], []],
  ])('run once: %s', async (name, expected, calls) => {
    const app = await start({ imports: [queue()], providers: [Intercepted] });
    const runs = await runAll(app, [
      [name, null],
      [name, null],
    ]);
    expect(outcomes(runs)).toEqual(expected);
    expect(seen).toEqual(calls);
  });

  it('must keep one result for each job', async () => {
    const app = await start({ imports: [queue()], providers: [Intercepted] });
    const runs = await runAll(app, [
      ['shorter', null],
      ['shorter', null],
    ]);
    expect(outcomes(runs)).toEqual([expect.any(BatchResultError), expect.any(BatchResultError)]);
  });

  it('that ask for the one job are told about getJobs()', async () => {
    const app = await start({ imports: [queue()], providers: [Intercepted] });
    const runs = await runAll(app, [['old', null]]);
    expect(runs['job-0']?.error).toMatchObject({
      code: 'CMQ-004',
      message: expect.stringContaining('Use getJobs(), and isBatch()') as string,
    });
  });
});

describe('a request-scoped handler of batches', () => {
  @Injectable({ scope: Scope.REQUEST })
  class Scoped implements CanActivate {
    static made = 0;
    constructor(@Inject(JOB_REF) readonly jobs: Job[]) {
      Scoped.made += 1;
    }

    canActivate(): boolean {
      if (this.jobs.length !== 3) throw new ForbiddenException();
      return true;
    }
  }

  @Processor('rows')
  @UseGuards(Scoped)
  class ScopedRows {
    constructor(
      private readonly scoped: Scoped,
      @Inject(JOB_REF) private readonly batch: Job[],
    ) {}

    @OnJob(size(3))
    store(jobs: Job[]) {
      return jobs.map((job, index) => this.scoped.jobs === this.batch && this.batch[index]?.id === job.id);
    }
  }

  it('is made once for each batch, and JOB_REF is the batch', async () => {
    Scoped.made = 0;
    const app = await start({ imports: [queue()], providers: [ScopedRows, Scoped] });
    const runs = await runAll(app, [
      ['a', 0],
      ['a', 1],
      ['a', 2],
    ]);
    expect(outcomes(runs)).toEqual([true, true, true]);
  });
});

describe('an application that stops', () => {
  it('gives back the jobs of a batch that waits for more', async () => {
    @Processor('rows')
    class Waiting {
      @OnJob({ batches: { size: 5, minSize: 5, timeoutMs: 60_000 } })
      store(jobs: Job[]) {
        seen.push(jobs.length);
      }
    }
    const app = await start({ imports: [ChasquiModule.forFeature('rows')], providers: [Waiting] });
    const rows = queueOf(app, 'rows');
    await rows.addBulk([
      { name: 'a', data: 1 },
      { name: 'a', data: 2 },
    ]);
    await expect.poll(() => rows.getActiveCount()).toBe(2);
    await app.close();
    const other = await start({ imports: [queue()], providers: [] });
    const later = queueOf(other, 'rows');
    expect(await later.getJobCounts()).toMatchObject({ waiting: 2, active: 0, failed: 0 });
    expect(seen).toEqual([]);
  });
});

describe('the boot', () => {
  const processorOf = (define: (prototype: object) => void): new () => object => {
    class Rows {}
    define(Rows.prototype);
    Processor('rows')(Rows);
    return Rows;
  };

  function withHandler(options: object, types?: unknown[]): new () => object {
    return processorOf((prototype) => {
      const value = (): void => undefined;
      const descriptor = { value, configurable: true, writable: true };
      Object.defineProperty(prototype, 'store', descriptor);
      OnJob('row', options as OnJobOptions)(prototype, 'store', descriptor);
      if (types) Reflect.defineMetadata('design:paramtypes', types, prototype, 'store');
    });
  }

  it.each([
    [{ batches: { size: 0 } }, 'batches: option "size" must be a whole number of at least 1'],
    [{ batches: { size: 2, minSize: 3 } }, 'a batch of 2 never has 3 jobs'],
    [{ batches: { size: 2, timeoutMs: 3 } }, 'has no effect without "minSize"'],
    [{ batches: { size: 2, timeout: 3 } }, 'Did you mean "timeoutMs"?'],
    [{ batches: 5 }, 'option "batches" must be an object, not 5'],
    [{ batch: { size: 5 } }, 'Did you mean "batches"?'],
    [{ batches: { size: 5, minSize: 2 }, ttlMs: 1_000 }, 'its jobs would expire while they wait'],
  ])('refuses %o', async (options, message) => {
    const error = await startError({ imports: [queue()], providers: [withHandler(options)] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toMatch(/^@OnJob on Rows\.store/);
    expect(error.message).toContain(message);
  });

  class Job {}
  it.each([
    [
      size(5),
      [Job],
      'its parameter 1 is an array with a value for each job, and it is declared as Job. Declare `jobs: Job[]`',
    ],
    [size(5), [RowDto], 'declared as RowDto. Declare `RowDto[]`'],
    [{}, [Array], 'its first parameter is an array, and the method gets one job'],
  ])('refuses a method that does not fit: %o, %o', async (options, types, message) => {
    const error = await startError({ imports: [queue()], providers: [withHandler(options, types)] });
    expect(error).toMatchObject({ code: 'CMQ-308', message: expect.stringContaining(message) as string });
  });

  it.each([[[Array]], [[Array, AbortSignal]], [[Object]], [[]], [undefined]])(
    'accepts the parameters %o',
    async (types) => {
      await start({ imports: [queue()], providers: [withHandler(size(5), types)] });
    },
  );

  it('refuses two sizes for one method', async () => {
    @Processor('rows')
    class Two {
      @OnJob('a', size(2))
      @OnJob('b', size(3))
      store() {}
    }
    const error = await startError({ imports: [queue()], providers: [Two] });
    expect(error.message).toContain('the method has batches: {"size":2} and batches: {"size":3}');
  });

  it('accepts the same size twice', async () => {
    @Processor('rows')
    class Same {
      @OnJob('a', size(2))
      @OnJob('b', size(2))
      store() {}
    }
    await start({ imports: [queue()], providers: [Same] });
  });

  it.each(['batches', 'batchesOf'])('refuses %s as an option of the worker', async (option) => {
    @Processor('rows', { [option]: { size: 5 } })
    class Wrong {
      @OnJob()
      store() {}
    }
    const error = await startError({ imports: [queue()], providers: [Wrong] });
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toContain(option === 'batches' ? '@OnJob(' : 'Did you mean "batches"?');
  });

  it('refuses a ValidationPipe that cannot know the type of a payload', async () => {
    @Processor('rows')
    class OwnPipe {
      @OnJob(size(5))
      store(@JobData(ValidationPipe) _rows: RowDto[]) {}
    }
    @UsePipes(new ValidationPipe())
    @Processor('rows')
    class ClassPipe {
      @OnJob(size(5))
      store(@JobData() _rows: RowDto[]) {}
    }
    for (const processor of [OwnPipe, ClassPipe]) {
      const error = await startError({ imports: [queue()], providers: [processor] });
      expect(error).toMatchObject({ code: 'CMQ-308' });
      expect(error.message).toContain('new ValidationPipe({ expectedType: YourDto })');
    }
  });

  it('refuses a pipe of @JobSignal', async () => {
    @Processor('rows')
    class Piped {
      @OnJob(size(5))
      store(@JobSignal({ transform: (signal: unknown) => signal }) _signal: AbortSignal) {}
    }
    const error = await startError({ imports: [queue()], providers: [Piped] });
    expect(error.message).toContain('remove the pipe');
  });
});
