import type { Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  OnJob,
  Processor,
  Repeat,
  type ChasquiModuleOptions,
  type RepeatSettings,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError, logs } = useApps(redis);
const reports = () => ChasquiModule.forFeature('reports');

/** A version of an application that declares these schedules; every one has a handler. */
function version(...names: readonly string[]): Type {
  @Processor('reports')
  class Reporter {
    @OnJob('always')
    always() {}
  }
  for (const name of names) {
    Object.defineProperty(Reporter.prototype, name, { value: () => undefined, configurable: true });
    const method = Object.getOwnPropertyDescriptor(Reporter.prototype, name) as PropertyDescriptor;
    OnJob(name)(Reporter.prototype, name, method);
    Repeat('@daily')(Reporter.prototype, name, method);
  }
  return Reporter;
}

async function deploy(processor: Type, root: Partial<ChasquiModuleOptions> = {}): Promise<readonly string[]> {
  const app = await start({ imports: [reports()], providers: [processor] }, root);
  const keys = (await queueOf(app, 'reports').getRepeatableJobs()).map(({ key }) =>
    key.replace('@Repeat:', ''),
  );
  await app.close();
  return keys.sort();
}

const deployment = (generation: number, owner = 'app'): Partial<ChasquiModuleOptions> => ({
  schedules: { owner, generation, removeUndeclared: true },
});

describe('an application with an owner', () => {
  it('removes schedules that it no longer declares, and logs it', async () => {
    expect(await deploy(version('a', 'b'), deployment(1))).toEqual(['a', 'b']);
    expect(await deploy(version('b', 'c'), deployment(2))).toEqual(['b', 'c']);
    expect(logs.filter((line) => line.includes('has been removed'))).toEqual([
      'Schedule "@Repeat:a" of queue "reports" is no longer in the code, so it has been removed.',
    ]);
  });

  it('an older deployment whose processes restart changes nothing', async () => {
    const [before, after] = [version('a', 'b'), version('b', 'c')];
    await deploy(before, deployment(1));
    await deploy(after, deployment(2));
    for (let restart = 0; restart < 2; restart++) {
      expect(await deploy(before, deployment(1))).toEqual(['b', 'c']);
      expect(await deploy(after, deployment(2))).toEqual(['b', 'c']);
    }
    expect(logs.filter((line) => line.includes('A newer deployment of "app"'))).toHaveLength(2);
    // Back to older code is a deployment, too.
    expect(await deploy(before, deployment(3))).toEqual(['a', 'b']);
  });

  it('removes the last ones of a queue whose processor is gone', async () => {
    await deploy(version('a'), deployment(1));
    const app = await start({ imports: [reports()] }, deployment(2));
    expect(await queueOf(app, 'reports').getRepeatableJobs()).toEqual([]);
  });

  it('keeps schedules of other owners, and those without an owner', async () => {
    await deploy(version('theirs'), deployment(9, 'another'));
    await deploy(version('old'));
    expect(await deploy(version('mine'), deployment(1))).toEqual(['mine', 'old', 'theirs']);
    expect(logs.filter((line) => line.includes('is no longer in the code'))).toEqual([
      expect.stringContaining('"@Repeat:old"'),
    ]);
  });

  it('keeps them, with a warning, without removeUndeclared', async () => {
    const settings = (generation: number) => ({ schedules: { owner: 'app', generation } });
    await deploy(version('a'), settings(1));
    expect(await deploy(version(), settings(2))).toEqual(['a']);
    expect(logs.filter((line) => line.includes('is no longer in the code'))).toEqual([
      'Schedule "@Repeat:a" of queue "reports" is no longer in the code, but it keeps running, and no handler matches its jobs ' +
        '("a"), so they become dead letters. Remove it with queue.removeRepeatableByKey(\'@Repeat:a\'), or set schedules.removeUndeclared.',
    ]);
  });

  it('does not restart a schedule that gets an owner', async () => {
    const app = await start({ imports: [reports()], providers: [version('a')] });
    const [before] = await queueOf(app, 'reports').getRepeatableJobs();
    await deploy(version('a'), deployment(1));
    const [after] = await queueOf(app, 'reports').getRepeatableJobs();
    expect(after).toEqual({ ...before, owner: 'app' });
  });
});

it.each<[object, string]>([
  [{ owner: 'app', removeUndeclared: true }, '"removeUndeclared" needs "generation"'],
  [{ generation: 1 }, 'option "owner" is missing'],
  [{ owner: ' ' }, 'option "owner" must be a string that is not blank'],
  [{ owner: 'app', generation: -1 }, 'option "generation" must be a whole number'],
  [{ owner: 'app', generation: NaN }, 'option "generation" must be a whole number'],
  [{ owner: 'app', remove: true }, 'unknown option "remove"'],
])('schedules: %o stops the boot', async (schedules, message) => {
  const error = await startError({ imports: [reports()] }, { schedules: schedules as { owner: string } });
  expect(error).toMatchObject({ code: 'CMQ-004' });
  expect(error.message).toContain('ChasquiModule.forRoot (connection "default"), option "schedules"');
  expect(error.message).toContain(message);
});

it('a schedule by hand whose jobs have no handler is reported, with the way to remove it', async () => {
  const app = await start({ imports: [reports()], providers: [version()] });
  const queue = queueOf(app, 'reports');
  await queue.add('gone', 1, { repeat: { every: 60_000 }, repeatJobKey: 'by hand' });
  await queue.add('always', 1, { repeat: { every: 60_000 }, repeatJobKey: 'handled' });
  logs.length = 0;
  await deploy(version());
  expect(logs.filter((line) => line.startsWith('Schedule'))).toEqual([
    'Schedule "by hand" of queue "reports" keeps running, and no handler matches its jobs ("gone"), so they become dead letters. ' +
      "Add a handler, or remove the schedule with queue.removeRepeatableByKey('by hand').",
  ]);
  logs.length = 0;
  await deploy(version(), { workerOptions: { unknownJobs: 'release' } });
  expect(logs.filter((line) => line.startsWith('Schedule'))).toEqual([]);
});

describe('disabled', () => {
  function switchable(disabled: RepeatSettings['disabled']): Type {
    @Processor('reports')
    class Reporter {
      @OnJob('digest')
      @Repeat('@daily', disabled === undefined ? {} : { disabled })
      digest() {}
    }
    return Reporter;
  }

  it.each<[RepeatSettings['disabled'], readonly string[]]>([
    [undefined, ['digest']],
    [false, ['digest']],
    [() => false, ['digest']],
    [true, []],
    [() => true, []],
  ])('%o', async (disabled, expected) => {
    expect(await deploy(switchable(undefined))).toEqual(['digest']);
    expect(await deploy(switchable(disabled))).toEqual(expected);
    expect(await deploy(switchable(disabled))).toEqual(expected);
    expect(await deploy(switchable(false))).toEqual(['digest']);
  });

  it('a function is called when the application starts', async () => {
    let off = true;
    const processor = switchable(() => off);
    expect(await deploy(processor)).toEqual([]);
    off = false;
    expect(await deploy(processor)).toEqual(['digest']);
  });

  it.each<[unknown, string]>([
    ['false', '"disabled" must be true or false'],
    [() => 'off', '"disabled" must be true or false'],
    [0, '"disabled" must be true or false'],
    [
      () => {
        throw new Error('no configuration');
      },
      '"disabled" threw: no configuration',
    ],
  ])('%o stops the boot', async (disabled, message) => {
    const error = await startError({
      imports: [reports()],
      providers: [switchable(disabled as boolean)],
    });
    expect(error).toMatchObject({ code: 'CMQ-308' });
    expect(error.message).toContain('@Repeat on Reporter.digest (AppModule)');
    expect(error.message).toContain(message);
  });
});
