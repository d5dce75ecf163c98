import type { Type } from '@nestjs/common';
import { once, type EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ChasquiModule, OnJob, Processor, UnrecoverableError } from '../../lib/index.js';
import { QUEUE_EVENTS, WORKER_EVENTS } from '../../lib/nest/constants.js';
import { waitForJob } from '../../lib/testing/index.js';
import { queueOf, runJob, useApps, workerOf } from '../nest/support/apps.js';
import { useRedis } from '../support/redis.js';
import { textOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { start, startModule, logs } = useApps(redis);
const { block } = docsPage('docs/nest-listeners.md', redis);

/** What the page's listeners print, and when they have. */
let printed: unknown[][];
let onPrint: () => void;

beforeEach(() => {
  printed = [];
  onPrint = () => {};
  vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => {
    printed.push(args);
    onPrint();
  });
});

function lines(count: number): Promise<unknown[][]> {
  return new Promise((resolve) => {
    onPrint = () => {
      if (printed.length >= count) resolve(printed);
    };
    onPrint();
  });
}

const mail = () => ChasquiModule.forFeature('mail');

@Processor('mail')
class Others {
  @OnJob('fail')
  fail() {
    throw new UnrecoverableError('no such mailbox');
  }
  @OnJob('other')
  other() {
    return { sent: true };
  }
}

describe('to the worker of this process', () => {
  const worker = block<{ MailProcessor: Type }>('To the worker of this process');

  it('the listeners hear all jobs of the queue, with result or error', async () => {
    const { MailProcessor } = await worker();
    const app = await start({ imports: [mail()], providers: [MailProcessor, Others] });
    const jobs = [];
    for (const name of ['send', 'other', 'fail']) jobs.push((await runJob(app, 'mail', name)).job.id);
    expect(printed).toEqual([
      [jobs[0], true],
      [jobs[1], true],
      [`attempt 1 of ${String(jobs[2])}: no such mailbox`],
    ]);
  });

  it('the page lists the events that there are', () => {
    const text = textOf('docs/nest-listeners.md');
    expect([...text.matchAll(/^\| `(\w+)` /gm)].map(([, event]) => event)).toEqual(
      expect.arrayContaining([...WORKER_EVENTS]),
    );
    for (const event of QUEUE_EVENTS) expect(text).toContain(`\`${event}\``);
  });
});

describe('to the queue, across processes', () => {
  const dashboard = block<{ DashboardModule: Type }>('To the queue, across processes');
  const history = block<{ MailHistory: Type<{ added: string[] }> }>('To the queue, across processes', 2);

  it('the listeners hear what other processes do, without a worker', async () => {
    const { DashboardModule } = await dashboard();
    const listening = await startModule(DashboardModule);
    const working = await start({ imports: [mail()], providers: [Others] });
    const done = await runJob(working, 'mail', 'other');
    const failed = await runJob(working, 'mail', 'fail');
    expect(await lines(2)).toEqual([
      [done.job.id, 1, expect.any(Number)],
      [expect.stringMatching(/^\d+-\d+$/), failed.job.id, 'unrecoverable'],
    ]);
    expect(() => workerOf(listening, 'mail')).toThrow('No worker');
  });

  it('from the oldest event that is kept', async () => {
    const { MailHistory } = await history();
    const producer = await start({ imports: [mail()] });
    const first = await queueOf(producer, 'mail').add('other', {});
    const late = await start({ imports: [mail()], providers: [MailHistory, Others] });
    await waitForJob(queueOf(late, 'mail'), first.id, 'completed');
    const { added } = late.get<{ added: string[] }>(MailHistory);
    await vi.waitUntil(() => added.length > 0, { timeout: 10_000 });
    expect(added).toEqual([first.id]);
  });
});

describe('with @nestjs/event-emitter', () => {
  interface Page {
    AppModule: Type;
    AppEmitter: Type<EventEmitter>;
    Statistics: Type<{ heard: string[] }>;
  }
  const emitter = block<Page>('With `@nestjs/event-emitter`');

  it('the application’s emitter gets a copy of every event', async () => {
    const { AppModule, AppEmitter, Statistics } = await emitter();
    const app = await startModule(AppModule);
    const told = once(app.get<EventEmitter>(AppEmitter), 'chasqui.mail.queue.completed');
    await runJob(app, 'mail', 'send');
    await told;
    const { heard } = app.get<{ heard: string[] }>(Statistics);
    expect([...heard].sort()).toEqual(['send at attempt 1', 'send: sent']);
  });
});

describe('a listener that throws', () => {
  const throwing = block<{ MailProcessor: Type }>('Errors in listeners');

  it('is logged, and harms neither the job nor the others', async () => {
    const { MailProcessor } = await throwing();
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { job, result } = await runJob(app, 'mail', 'send');
    expect(result).toBe('sent');
    expect(printed).toEqual([[job.id, 'is done']]);
    expect(logs).toEqual([expect.stringContaining('MailProcessor.onCompleted')]);
    expect(logs[0]).toContain('the statistics are away');
  });
});
