import { describe, expect, it, vi } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ChasquiModule,
  JobSignal,
  JobTimeoutError,
  OnJob,
  Processor,
  Repeat,
  type OnJobOptions,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start } = useApps(redis);

const mail = (options: object = {}) => ChasquiModule.forFeature({ name: 'mail', ...options });
const hang = (): Promise<void> => new Promise(() => undefined);

@Processor('mail')
class Limited {
  static reasons: unknown[] = [];

  @OnJob('send', { timeoutMs: 20 })
  send(@JobSignal() signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => Limited.reasons.push(signal.reason));
    return hang();
  }

  @OnJob('created', ['updated'], /^sync\./, { timeoutMs: 21 })
  index(): Promise<void> {
    return hang();
  }

  @OnJob('free', { timeoutMs: Infinity })
  free(): Promise<string> {
    return delay(80, 'done');
  }

  @OnJob('late', { ttlMs: 1, expired: 'drop' })
  late(): void {
    throw new Error('must not run');
  }

  @OnJob()
  rest(): Promise<void> {
    return hang();
  }
}

describe('the time limits of @OnJob', () => {
  it.each([
    ['send', {}, 20],
    ['created', {}, 21],
    ['updated', {}, 21],
    ['sync.users', {}, 21],
    // It has none of its own.
    ['else', {}, 30],
    ['', {}, 30],
    // The limit of the job comes first.
    ['send', { timeoutMs: 25 }, 25],
    ['else', { timeoutMs: 26 }, 26],
  ])('end a run of "%s" with %o after %i ms', async (name, options, timeoutMs) => {
    const app = await start({ imports: [mail({ workerOptions: { timeoutMs: 30 } })], providers: [Limited] });
    Limited.reasons = [];
    const { error } = await runJob(app, 'mail', name, null, { attempts: 1, ...options });
    expect(error).toBeInstanceOf(JobTimeoutError);
    expect(error).toMatchObject({ timeoutMs });
    if (name === 'send') expect(Limited.reasons).toEqual([error]);
  });

  it('are lifted by Infinity', async () => {
    const app = await start({ imports: [mail({ workerOptions: { timeoutMs: 30 } })], providers: [Limited] });
    expect(await runJob(app, 'mail', 'free')).toMatchObject({ result: 'done' });
  });

  it('of the queue come with its jobs: those of the job come before, those of @OnJob after them', async () => {
    const app = await start({
      imports: [mail({ defaultJobOptions: { timeoutMs: 27 } })],
      providers: [Limited],
    });
    for (const [options, timeoutMs] of [
      [{}, 27],
      [{ timeoutMs: 28 }, 28],
    ] as const) {
      const { error } = await runJob(app, 'mail', 'send', null, { attempts: 1, ...options });
      expect(error).toMatchObject({ timeoutMs });
    }
  });

  it('drop a job that waited for too long', async () => {
    const app = await start({
      imports: [mail({ workerOptions: { autorun: false } })],
      providers: [Limited],
    });
    await queueOf(app, 'mail').add('late', 1);
    await delay(20);
    const worker = workerOf(app, 'mail');
    const failed = new Promise<string | undefined>((resolve) => {
      worker.on('failed', (job) => {
        resolve(job.failedReason);
      });
    });
    void worker.run();
    expect(await failed).toBe('expired');
    await vi.waitFor(async () => {
      expect(await queueOf(app, 'mail').count()).toBe(0);
    });
  });

  it('apply to the jobs of @Repeat', async () => {
    const runs: AbortSignal[] = [];
    @Processor('mail')
    class Repeated {
      @OnJob('digest', { timeoutMs: 20 })
      @Repeat(50)
      digest(@JobSignal() signal: AbortSignal): Promise<void> {
        runs.push(signal);
        return hang();
      }
    }
    const scheduler = { tickIntervalMs: 20 };
    await start({ imports: [mail({ workerOptions: { maxAttempts: 1, scheduler } })], providers: [Repeated] });
    await vi.waitFor(() => {
      expect(runs[0]?.reason).toBeInstanceOf(JobTimeoutError);
    });
  });
});

describe('wrong options of @OnJob stop the boot, and name the method', () => {
  it.each<[unknown, string]>([
    [
      { timeoutMs: 0 },
      'options: option "timeoutMs" must be a whole number of at least 1, or Infinity, not 0.',
    ],
    [{ timeoutMs: '5s' }, 'option "timeoutMs" must be a whole number of at least 1, or Infinity, not "5s".'],
    [{ ttlMs: -1 }, 'option "ttlMs" must be'],
    [{ ttlMs: NaN }, 'option "ttlMs" must be'],
    [{ expired: 'explode' }, 'option "expired" must be \'dead-letter\' or \'drop\', not "explode".'],
    [{ timeoutMS: 5 }, 'unknown option "timeoutMS" (5). Did you mean "timeoutMs"?'],
    [Promise.resolve({}), 'must be an object with options in it, not a Promise'],
    [null, 'a job name must be a string or a RegExp. Options come last.'],
    [5, 'a job name must be a string or a RegExp. Options come last.'],
  ])('%o', async (options, problem) => {
    @Processor('mail')
    class Wrong {
      @OnJob('send', options as OnJobOptions)
      send(): void {}
    }
    const boot = start({ imports: [mail()], providers: [Wrong] });
    await expect(boot).rejects.toThrow(problem);
    await expect(boot).rejects.toThrow('@OnJob on Wrong.send (AppModule)');
  });

  it('two values of one option on a method', async () => {
    @Processor('mail')
    class Twice {
      @OnJob('a', { timeoutMs: 5 })
      @OnJob('b', { timeoutMs: 6, ttlMs: 9 })
      run(): void {}
    }
    await expect(start({ imports: [mail()], providers: [Twice] })).rejects.toThrow(
      'the method has timeoutMs: 5 and timeoutMs: 6. An option applies to all names of the method',
    );
  });

  it('options in front of a name', async () => {
    @Processor('mail')
    class Front {
      @OnJob({ timeoutMs: 5 } as never, 'send')
      run(): void {}
    }
    await expect(start({ imports: [mail()], providers: [Front] })).rejects.toThrow('Options come last.');
  });

  it('limitsOf is not an option of a processor: @OnJob has it', async () => {
    @Processor('mail', { limitsOf: () => undefined } as never)
    class Wrong {
      @OnJob()
      run(): void {}
    }
    await expect(start({ imports: [mail()], providers: [Wrong] })).rejects.toThrow(
      'unknown option "limitsOf"',
    );
  });
});
