import type { Type } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { UnrecoverableError, ChasquiModule, OnJob, Processor, type Queue } from '../../lib/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { queueOf, runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

interface Signups {
  signUp(email: string): Promise<void>;
}

const redis = useRedis();
const { start, startModule } = useApps(redis);
const { block } = docsPage('README.md', redis);

const app = block<{ AppModule: Type; SignupService: Type<Signups> }>('In your app');
const deadLetters = block<{ inspect(welcome: Queue): Promise<void> }>('Dead letters');
const engine = block('Without Nest');

describe('in your app', () => {
  it('jobs are added and handled by name', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const { AppModule, SignupService } = await app();
    const running = await startModule(AppModule);
    const queue = queueOf(running, 'welcome');
    await running.get<Signups>(SignupService).signUp('ada@example.com');
    await waitForJob(queue, () => true, 'completed');
    expect(log.mock.calls).toEqual([['to ada@example.com, attempt 1']]);
    expect(workerOf(running, 'welcome').opts.concurrency).toBe(50);
    await running.get<Signups>(SignupService).signUp('ada@example.com');
    expect(await queue.getBacklog()).toMatchObject({ delayed: 1, due: 0 });
    const { job } = await runJob(running, 'welcome', 'remind', { to: 'bob@example.com' });
    expect(log).toHaveBeenCalledWith('reminding bob@example.com');
    expect(job.opts.attempts).toBe(5);
  });

  it('dead letters are shown and replayed', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    @Processor('welcome')
    class Poisoned {
      @OnJob('send')
      send() {
        throw new UnrecoverableError('blocked address');
      }
    }
    const imports = [ChasquiModule.forFeature('welcome')];
    const running = await start({ imports, providers: [Poisoned] });
    await runJob(running, 'welcome', 'send', { to: 'ada' });
    await (await deadLetters()).inspect(queueOf(running, 'welcome'));
    expect(log.mock.calls).toEqual([
      ['unrecoverable', 'blocked address', { to: 'ada' }],
      [1, 'moved back, with all attempts'],
    ]);
  });

  it('the engine works without Nest, and leaves nothing open', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await engine();
    expect(log.mock.calls).toContainEqual([{ bytes: 'https://example.com/a.png'.length }]);
    const done = log.mock.calls.filter((args) => args.length > 1);
    for (const args of done) expect(args).toEqual([expect.stringMatching(/^\w{26}$/), 'is done']);
  });
});
