import { once } from 'node:events';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ChasquiModule, OnJob, Processor, Repeat, type Job } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError, logs } = useApps(redis);

const reports = () => ChasquiModule.forFeature('reports');

describe('@Repeat', () => {
  it('runs the method at each slot of the schedule', async () => {
    const ran = new EventEmitter();
    @Processor('reports', { schedulerTickMs: 10 })
    class Reporter {
      @OnJob('poll')
      @Repeat(20, { data: { to: 'all' } })
      poll(job: Job) {
        ran.emit('poll', job);
      }
    }
    const polled = once(ran, 'poll');
    await start({ imports: [reports()], providers: [Reporter] });
    expect(await polled).toMatchObject([{ name: 'poll', data: { to: 'all' } }]);
  });

  it('is declared by every replica, and stays as it is', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('0 8 * * *', { tz: 'Europe/Madrid', attempts: 2 })
      digest() {}
      @OnJob('poll')
      @Repeat({ every: 60_000, key: 'fast', data: 1 })
      @Repeat({ every: 3_600_000, key: 'slow', data: 2, missedFires: { kind: 'fire-once' } })
      poll() {}
    }
    const one = await start({ imports: [reports()], providers: [Reporter] });
    const before = await queueOf(one, 'reports').getRepeatableJobs();
    const other = await start({ imports: [reports()], providers: [Reporter] });
    expect(await queueOf(other, 'reports').getRepeatableJobs()).toEqual(before);
    expect(
      before.map(({ key, jobName, pattern, every, tz }) => [key, jobName, pattern ?? every, tz]),
    ).toEqual(
      expect.arrayContaining([
        ['@Repeat:digest', 'digest', '0 8 * * *', 'Europe/Madrid'],
        ['@Repeat:fast', 'poll', 60_000, undefined],
        ['@Repeat:slow', 'poll', 3_600_000, undefined],
      ]),
    );
    expect(logs).toEqual([]);
  });

  it('is declared only where the queue is worked on', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('@daily')
      digest() {}
    }
    const app = await start({ imports: [reports()], providers: [Reporter] }, { workers: false });
    expect(await queueOf(app, 'reports').getRepeatableJobs()).toEqual([]);
  });

  it('is not declared after its end', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('@daily', { endDate: '2020-01-01' })
      digest() {}
    }
    const app = await start({ imports: [reports()], providers: [Reporter] });
    expect(await queueOf(app, 'reports').getRepeatableJobs()).toEqual([]);
  });

  it('replaces a schedule that has changed', async () => {
    @Processor('reports')
    class Before {
      @OnJob('digest')
      @Repeat('@daily')
      digest() {}
    }
    @Processor('reports')
    class After {
      @OnJob('digest')
      @Repeat('@hourly')
      digest() {}
    }
    const before = await start({ imports: [reports()], providers: [Before] });
    await before.close();
    const after = await start({ imports: [reports()], providers: [After] });
    expect(await queueOf(after, 'reports').getRepeatableJobs()).toMatchObject([{ pattern: '@hourly' }]);
  });

  it.each([
    ['keep', ['@Repeat:digest', 'by hand'], 'keeps running'],
    ['remove', ['by hand'], 'has been removed'],
  ] as const)('that is gone from the code: %s', async (staleSchedules, left, said) => {
    @Processor('reports')
    class Before {
      @OnJob('digest')
      @Repeat('@daily')
      digest() {}
    }
    @Processor('reports')
    class After {
      @OnJob('digest')
      digest() {}
    }
    const before = await start({ imports: [reports()], providers: [Before] });
    await queueOf(before, 'reports').add('x', 1, { repeat: { every: 60_000 }, repeatJobKey: 'by hand' });
    await before.close();
    const after = await start({ imports: [reports()], providers: [After] }, { staleSchedules });
    const keys = (await queueOf(after, 'reports').getRepeatableJobs()).map(({ key }) => key);
    expect(keys.sort()).toEqual(left);
    const told = logs.filter((line) => line.includes('is no longer in the code'));
    expect(told).toEqual([expect.stringContaining(said)]);
  });
});

describe('a boot fails', () => {
  it('with a schedule that cannot be read', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('0 25 * * *')
      digest() {}
    }
    const error = await startError({ imports: [reports()], providers: [Reporter] });
    expect(error).toMatchObject({ code: 'CMQ-308', cause: { code: 'CMQ-004' } });
    expect(error.message).toContain('@Repeat on Reporter.digest (AppModule): repeat: pattern "0 25 * * *"');
  });

  it.each([
    [{ timezone: 'UTC' }, 'unknown option "timezone"'],
    [{ limit: 2 }, 'there is no option "limit" here. Each startup would start the count again'],
    [{ count: 2 }, 'there is no option "count" here. It belongs to "limit"'],
    [{ offset: -1 }, 'option "offset" must be a whole number of at least 0'],
    [{ offset: 5 }, '"offset" needs "every"'],
    [{ immediately: 'yes' }, 'option "immediately" must be'],
    [{ immediately: true, startDate: 5 }, 'set either "immediately" or "startDate"'],
    [{ timeoutMs: 0 }, 'option "timeoutMs" must be'],
    [{ jobId: 'x' }, 'there is no option "jobId" here'],
    [{ repeatJobKey: 'x' }, 'there is no option "repeatJobKey" here. Set "key".'],
    [{ owner: 'x' }, 'there is no option "owner" here. Set "schedules" in ChasquiModule.forRoot.'],
    [{ delay: 5 }, 'unknown option "delay" (5)'],
    [{ key: 5 }, 'option "key" must be a string that is not blank, not 5'],
    [{ key: '' }, 'option "key" must be a string that is not blank, not ""'],
    [{ key: 'k'.repeat(500) }, 'must not be blank or longer than'],
    [{ tz: '' }, 'option "tz" must be'],
    [{ tz: 'Europe/Mdrid' }, 'Europe/Mdrid'],
    [{ attempts: 0 }, 'option "attempts" must be'],
    [{ backoff: {} }, 'backoff'],
    [{ skipIfRunning: 'yes' }, 'option "skipIfRunning" must be'],
    [{ missedFires: 'skip' }, 'option "missedFires" must be'],
    [{ startDate: 'soon' }, 'option "startDate" must be'],
    [{ data: () => 1 }, 'data'],
    [{ data: { big: 2n ** 70n } }, 'data.big'],
    [{ data: Buffer.alloc(2_000_000) }, 'maxPayloadBytes'],
    [{ disabled: 'no' }, '"disabled" must be true or false'],
    ['often', 'unknown option "0"'],
  ])('with settings that there are not: %o', async (settings, problem) => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('@daily', settings as never)
      digest() {}
    }
    const error = await startError({ imports: [reports()], providers: [Reporter] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain('@Repeat on Reporter.digest (AppModule): ');
    expect(error.message).toContain(problem);
  });

  it.each([undefined, null, true, '', 0, -1, 1.5, Infinity, {}, [], { every: 5, pattern: '@daily' }])(
    'with a schedule that is none: %j',
    async (schedule) => {
      @Processor('reports')
      class Reporter {
        @OnJob('digest')
        @Repeat(schedule as never)
        digest() {}
      }
      const error = await startError({ imports: [reports()], providers: [Reporter] });
      expect(error).toMatchObject({ code: 'CMQ-308' });
      expect(error.message).toContain('@Repeat on Reporter.digest (AppModule): ');
    },
  );

  it('with an empty job name', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('')
      digest() {}
    }
    const error = await startError({ imports: [reports()], providers: [Reporter] });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain('@OnJob on Reporter.digest (AppModule): the name is empty.');
  });

  it.each([
    ['no name', OnJob()],
    ['two names', OnJob('a', 'b')],
  ])('with a schedule for %s', async (_what, onJob) => {
    @Processor('reports')
    class Reporter {
      @onJob
      @Repeat('@daily')
      digest() {}
      @OnJob('other')
      other() {}
    }
    const error = await startError({ imports: [reports()], providers: [Reporter] });
    expect(error.message).toContain('Reporter.digest (AppModule): the method needs exactly one @OnJob name');
  });

  it('with a schedule without @OnJob, or outside of a processor', async () => {
    class Misplaced {
      @Repeat('@daily')
      digest() {}
    }
    @Processor('reports')
    class Reporter extends Misplaced {
      @OnJob('other')
      other() {}
    }
    expect((await startError({ imports: [reports()], providers: [Reporter] })).message).toContain(
      'the method needs exactly one @OnJob name',
    );
    expect(await startError({ imports: [reports()], providers: [Misplaced] })).toMatchObject({
      code: 'CMQ-306',
      message: expect.stringContaining('@Repeat on Misplaced.digest') as string,
    });
  });

  it('with two schedules of one key', async () => {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('@daily')
      @Repeat('@hourly')
      digest() {}
    }
    const error = await startError({ imports: [reports()], providers: [Reporter] });
    expect(error.message).toContain('another schedule with the key "digest"');
  });
});
