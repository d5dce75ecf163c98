import { EventEmitter, once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import {
  ChasquiModule,
  OnJob,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  QueueEventsListener,
  UnrecoverableError,
  type CompletedEvent,
  type DlqEvent,
  type Job,
  type WaitingEvent,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, runJob, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start, logs } = useApps(redis);

const mail = () => ChasquiModule.forFeature('mail');

@Processor('mail')
class Sender {
  @OnJob('send')
  async send(job: Job<{ bad?: boolean }>) {
    await job.updateProgress(50);
    if (job.data.bad) throw new UnrecoverableError('bad');
    return 'sent';
  }
}

it('@OnWorkerEvent methods get the events of the worker, in any class of the queue', async () => {
  const seen: unknown[][] = [];
  @Processor('mail')
  class Observer {
    @OnWorkerEvent('ready')
    ready() {
      seen.push(['ready']);
    }
    @OnWorkerEvent('active')
    active(job: Job) {
      seen.push(['active', job.name]);
    }
    @OnWorkerEvent('progress')
    progress(job: Job, progress: unknown) {
      seen.push(['progress', job.name, progress]);
    }
    @OnWorkerEvent('completed')
    @OnWorkerEvent('failed')
    ended(job: Job, outcome: unknown) {
      seen.push(['ended', job.name, outcome instanceof Error ? outcome.message : outcome]);
    }
    @OnWorkerEvent('closed')
    closed() {
      seen.push(['closed']);
    }
  }
  const app = await start({ imports: [mail()], providers: [Sender, Observer] });
  await runJob(app, 'mail', 'send');
  await runJob(app, 'mail', 'send', { bad: true });
  await app.close();
  expect(seen).toEqual([
    ['ready'],
    ['active', 'send'],
    ['progress', 'send', 50],
    ['ended', 'send', 'sent'],
    ['active', 'send'],
    ['progress', 'send', 50],
    ['ended', 'send', 'bad'],
    ['closed'],
  ]);
});

it('dropped dead letters are logged as an error, and reach listeners', async () => {
  const dropped: number[] = [];
  @Processor('mail', { dlqMaxStreamLen: 1 })
  class Strict {
    @OnJob('send')
    send() {
      throw new UnrecoverableError('bad');
    }
    @OnWorkerEvent('dlqEvicted')
    evicted({ count }: { count: number }) {
      dropped.push(count);
    }
  }
  const app = await start({ imports: [mail()], providers: [Strict] });
  const jobs = Array.from({ length: 250 }, () => ({ name: 'send', data: {} }));
  await queueOf(app, 'mail').addBulk(jobs);
  await expect.poll(() => dropped.length, { timeout: 5_000 }).toBeGreaterThan(0);
  expect(logs.join('\n')).toMatch(
    /Queue "mail" dropped \d+ old dead letter\(s\), because it keeps at most 1 \(dlqMaxStreamLen\)/,
  );
});

it('@OnQueueEvent methods get the events of the queue', async () => {
  const seen: unknown[][] = [];
  const ended = new EventEmitter();
  @QueueEventsListener('mail')
  class Listener {
    @OnQueueEvent('waiting')
    waiting({ name }: WaitingEvent, eventId: string) {
      seen.push(['waiting', name, typeof eventId]);
    }
  }
  @QueueEventsListener('mail')
  class Other {
    @OnQueueEvent('completed')
    completed({ jobId, attempt }: CompletedEvent) {
      seen.push(['completed', jobId, attempt]);
      ended.emit('end');
    }
    @OnQueueEvent('dlq')
    dead({ jobId, reason }: DlqEvent) {
      seen.push(['dlq', jobId, reason]);
      ended.emit('end');
    }
  }
  const app = await start({ imports: [mail()], providers: [Sender, Listener, Other] });
  const good = await heard('send', {});
  const bad = await heard('send', { bad: true });
  expect(seen).toEqual([
    ['waiting', 'send', 'string'],
    ['completed', good, 1],
    ['waiting', 'send', 'string'],
    ['dlq', bad, 'unrecoverable'],
  ]);

  async function heard(name: string, data: object): Promise<string> {
    const end = once(ended, 'end');
    const { id } = await queueOf(app, 'mail').add(name, data);
    await end;
    return id;
  }
});

it('queue events reach listeners in a process without a worker', async () => {
  const waiting = new EventEmitter();
  @QueueEventsListener('mail')
  class Listener {
    @OnQueueEvent('waiting')
    waiting({ jobId }: WaitingEvent) {
      waiting.emit('heard', jobId);
    }
  }
  const app = await start({ imports: [mail()], providers: [Sender, Listener] }, { workers: false });
  const heard = once(waiting, 'heard');
  const { id } = await queueOf(app, 'mail').add('send', {});
  expect(await heard).toEqual([id]);
});

it('a listener that throws is logged and harms nothing', async () => {
  const seen: string[] = [];
  @Processor('mail')
  class Careless {
    @OnWorkerEvent('completed')
    sync() {
      throw new Error('sync mistake');
    }
    @OnWorkerEvent('completed')
    async async() {
      await Promise.reject(new Error('async mistake'));
    }
    @OnWorkerEvent('completed')
    careful() {
      seen.push('called all the same');
    }
  }
  const app = await start({ imports: [mail()], providers: [Sender, Careless] });
  expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent' });
  expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: 'sent' });
  expect(seen).toEqual(['called all the same', 'called all the same']);
  expect(logs).toContain('Careless.sync (AppModule), which listens to "completed", failed: sync mistake');
  expect(logs).toContain('Careless.async (AppModule), which listens to "completed", failed: async mistake');
  expect(await queueOf(app, 'mail').peekDlq()).toEqual([]);
});

it("the application's own emitter gets all events where it is asked for", async () => {
  @Injectable()
  class Emitter extends EventEmitter {}
  const app = await start({ imports: [mail()], providers: [Sender, Emitter] }, { eventEmitter: Emitter });
  const emitter = app.get(Emitter);
  const worker = once(emitter, 'chasqui.mail.worker.completed');
  const queue = once(emitter, 'chasqui.mail.queue.completed');
  emitter.on('chasqui.mail.worker.active', () => {
    throw new Error('mistake');
  });
  const { id } = await queueOf(app, 'mail').add('send', {});
  expect(await worker).toEqual([expect.objectContaining({ id }), 'sent', '']);
  expect(await queue).toEqual([expect.objectContaining({ jobId: id }), expect.any(String)]);
  expect(logs).toContain('A listener of "chasqui.mail.worker.active" failed: mistake');
  expect(workerOf(app, 'mail').isRunning()).toBe(true);
});

it('the compiler knows the events and what they bring', () => {
  class Checked {
    // @ts-expect-error -- there is no such event
    @OnWorkerEvent('complete')
    complete() {
      return undefined;
    }

    // @ts-expect-error -- the second argument is an Error
    @OnWorkerEvent('failed')
    failed(_job: Job, message: string) {
      return message;
    }

    @OnWorkerEvent('completed')
    completed(job: Job<{ to: string }>, result: { sent: boolean }) {
      return [job.data.to, result.sent];
    }

    // @ts-expect-error -- a completed event has no reason
    @OnQueueEvent('completed')
    done({ reason }: DlqEvent) {
      return reason;
    }
  }
  expect(Checked).toBeDefined();
});

it('@OnQueueEvent gets deduplicated, with both jobs', async () => {
  const seen: unknown[] = [];
  @QueueEventsListener('mail')
  class Duplicates {
    @OnQueueEvent('deduplicated')
    met(event: unknown) {
      seen.push(event);
    }
  }
  const app = await start({ imports: [mail()], providers: [Duplicates] });
  const queue = queueOf(app, 'mail');
  const options = { deduplication: { id: 'welcome ada' } };
  const first = await queue.add('send', {}, options);
  const second = await queue.add('send', {}, options);
  expect([second.duplicate, second.id]).toEqual([true, first.id]);
  await expect
    .poll(() => seen, { timeout: 8_000 })
    .toEqual([
      expect.objectContaining({
        deduplicationId: 'welcome ada',
        deduplicatedJobId: first.id,
        jobId: expect.not.stringMatching(first.id) as string,
      }),
    ]);
});
