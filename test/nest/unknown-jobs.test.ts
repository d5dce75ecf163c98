import { expect, it } from 'vitest';
import { ChasquiModule, OnJob, Processor, type Job } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, runsOf, useApps } from './support/apps.js';

const redis = useRedis();
const { start, startError } = useApps(redis);
const mail = () => ChasquiModule.forFeature('mail');

@Processor('mail')
class Before {
  @OnJob('send', /^bulk\./)
  send() {
    return 'before';
  }
}

@Processor('mail')
class After extends Before {
  @OnJob('digest')
  digest(job: Job) {
    return `after, attempt ${String(job.attemptsMade)}`;
  }
}

@Processor('mail', { unknownJobs: 'release' })
class Releasing extends Before {}

it('an unknown name is a dead letter at once', async () => {
  const app = await start({ imports: [mail()], providers: [Before] });
  const { error } = await runJob(app, 'mail', 'digest', {}, { attempts: 5 });
  expect(error).toMatchObject({ code: 'CMQ-320' });
});

it.each([
  ['of the processor', Releasing, {}, {}],
  ['of forRoot', Before, { workerOptions: { unknownJobs: 'release' } }, {}],
  ['of forFeature', Before, {}, { workerOptions: { unknownJobs: 'release' } }],
] as const)('unknownJobs: release %s leaves it to a newer version', async (_, processor, root, feature) => {
  const before = await start(
    { imports: [ChasquiModule.forFeature({ name: 'mail', ...feature })], providers: [processor] },
    root,
  );
  expect(await runJob(before, 'mail', 'send')).toMatchObject({ result: 'before' });
  expect(await runJob(before, 'mail', 'bulk.1')).toMatchObject({ result: 'before' });
  const { id } = await queueOf(before, 'mail').add('digest', {}, { attempts: 1 });
  await expect.poll(() => redis.client.zcard('{chasqui:mail}:delayed')).toBe(1);
  const after = await start({ imports: [mail()], providers: [After] });
  const { value } = await runsOf(after, 'mail').next();
  expect(value).toMatchObject({ job: { id }, result: 'after, attempt 1' });
  expect(await queueOf(after, 'mail').peekDlq()).toEqual([]);
});

it('a catch-all knows all names', async () => {
  @Processor('mail', { unknownJobs: 'release' })
  class All {
    @OnJob()
    any(job: Job) {
      return job.name;
    }
  }
  const app = await start({ imports: [mail()], providers: [All] });
  expect(await runJob(app, 'mail', 'digest')).toMatchObject({ result: 'digest' });
});

it('another value stops the boot', async () => {
  @Processor('mail', { unknownJobs: 'retry' as 'release' })
  class Typo extends Before {}
  const error = await startError({ imports: [mail()], providers: [Typo] });
  expect(error).toMatchObject({ code: 'CMQ-004' });
  expect(error.message).toBe(
    `@Processor on Typo (AppModule): option "unknownJobs" must be 'dead-letter' or 'release', not "retry".`,
  );
});
