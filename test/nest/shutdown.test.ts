import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  InjectQueue,
  OnJob,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  Queue,
  QueueEventsListener,
  Worker,
  type Job,
  type WorkerOptions,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, useApps, workerOf } from './support/apps.js';

const redis = useRedis();
const { start } = useApps(redis);
const FIXTURE = fileURLToPath(new URL('fixtures/shutdown-app.mjs', import.meta.url));

describe('close', () => {
  it('lets running handlers end, and these add jobs', async () => {
    const steps: string[] = [];
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    @Processor('mail', { concurrency: 1 })
    class MailProcessor {
      @InjectQueue('mail') private readonly queue!: Queue;
      @OnJob('send')
      async send() {
        steps.push('started');
        await released;
        await this.queue.add('later', {}, { delay: 60_000 });
        steps.push('ended');
      }
      @OnWorkerEvent('closed')
      closed() {
        steps.push('drained');
      }
      onModuleDestroy() {
        steps.push('onModuleDestroy');
      }
      onApplicationShutdown() {
        steps.push('onApplicationShutdown');
      }
    }
    const app = await start({ imports: [ChasquiModule.forFeature('mail')], providers: [MailProcessor] });
    const queue = queueOf(app, 'mail');
    const worker = workerOf(app, 'mail');
    const active = once(worker, 'active');
    await queue.addBulk([
      { name: 'send', data: 1 },
      { name: 'send', data: 2 },
    ]);
    await active;
    const closing = once(worker, 'closing');
    const closed = app.close();
    await closing;
    release();
    await closed;
    expect(steps).toEqual(['started', 'onModuleDestroy', 'ended', 'drained', 'onApplicationShutdown']);
    expect(queue.isClosed).toBe(true);
    expect(await redis.client.zcard('{chasqui:mail}:delayed')).toBe(1);
    expect(await redis.client.xlen('{chasqui:mail}:stream')).toBe(1);
  });

  it('receives the events of the last jobs', async () => {
    const seen: unknown[] = [];
    let heard = (): void => {};
    const completed = new Promise<void>((resolve) => (heard = resolve));
    @Processor('mail')
    class MailProcessor {
      @OnJob('send')
      send() {
        return 'sent';
      }
    }
    @QueueEventsListener('mail')
    class MailEvents {
      @OnQueueEvent('completed')
      completed({ jobId }: { jobId: string }) {
        seen.push(jobId);
        heard();
      }
    }
    const app = await start({
      imports: [ChasquiModule.forFeature('mail')],
      providers: [MailProcessor, MailEvents],
    });
    const { id } = await queueOf(app, 'mail').add('send', {});
    await completed;
    await app.close();
    expect(seen).toEqual([id]);
  });
});

describe('SIGTERM under load', () => {
  let app: ChildProcess | undefined;

  afterEach(() => {
    app?.kill('SIGKILL');
    app = undefined;
  });

  async function begin(
    options: Partial<WorkerOptions> = {},
  ): Promise<{ messages: ReturnType<typeof inbox>; child: ChildProcess }> {
    const env = { ...process.env, REDIS_URL: redis.url, WORKER_OPTIONS: JSON.stringify(options) };
    const child = fork(FIXTURE, { env });
    app = child;
    const messages = inbox(child);
    await messages.until((message) => 'ready' in message);
    return { messages, child };
  }

  it('lets running handlers finish and add jobs, and releases the rest with no attempt used', async () => {
    const { messages, child } = await begin();
    const queue = new Queue('work', { connection: redis.connection });
    const added = await queue.addBulk(Array.from({ length: 50 }, (_, data) => ({ name: 'work', data })));
    const started = await messages.collect(5, 'started');

    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await messages.until((message) => 'closing' in message);
    child.send('finish');
    expect((await messages.collect(5, 'finished')).sort()).toEqual(started.sort());
    expect(await exited).toEqual([null, 'SIGTERM']);

    const pending = (await redis.client.xpending('{chasqui:work}:stream', 'default')) as [number];
    expect(pending[0]).toBe(0);
    const rest = await drain(50);
    await queue.close();

    const children = rest
      .filter(({ name }) => name === 'child')
      .map(({ data }) => (data as { of: string }).of);
    expect(children.sort()).toEqual(started);
    const works = rest.filter(({ name }) => name === 'work').map(({ id }) => id);
    expect([...works, ...started].sort()).toEqual(added.map(({ id }) => id).sort());
    expect(new Set(rest.map(({ attemptsMade }) => attemptsMade))).toEqual(new Set([1]));
  });

  describe.each([
    { group: { concurrency: 2 }, running: 5 },
    { group: { strict: true }, running: 3 },
  ])('of jobs in groups, $group', ({ group, running }) => {
    const ids = ['a', 'b', 'c'];

    it.each(['end', 'do not end'])(
      'whose handlers %s: slots are free, and each job has ended or is back',
      async (how) => {
        const { messages, child } = await begin({ group, shutdownDeadlineSecs: how === 'end' ? 10 : 1 });
        const queue = new Queue('work', { connection: redis.connection });
        const jobs = Array.from({ length: 30 }, (_, data) => ({
          name: 'work',
          data,
          opts: { group: { id: ids[data % 3] as string } },
        }));
        const added = (await queue.addBulk(jobs)).map(({ id }) => id);
        await messages.collect(running, 'started');

        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await messages.until((message) => 'closing' in message);
        if (how === 'end') {
          child.send('finish');
          await messages.collect(running, 'finished');
        }
        expect(await exited).toEqual([null, 'SIGTERM']);
        const started = await messages.collect(running, 'started');
        expect(started).toHaveLength(running);
        expect(((await redis.client.xpending('{chasqui:work}:stream', 'default')) as [number])[0]).toBe(0);
        expect(await redis.client.exists('{chasqui:work}:slots')).toBe(0);
        const ended = how === 'end' ? started : [];
        const left = added.filter((id) => !ended.includes(id));
        for (const [nth, id] of ids.entries())
          expect((await queue.getGroupJobs(id)).map((job) => job.id)).toEqual(
            left.filter((one) => added.indexOf(one) % 3 === nth),
          );
        const rest = (await drain(left.length + ended.length)).filter(({ name }) => name === 'work');
        await queue.close();
        expect(rest.map(({ id }) => id).sort()).toEqual(left.sort());
        expect(new Set(rest.map(({ attemptsMade }) => attemptsMade))).toEqual(new Set([1]));
      },
    );
  });

  /** Runs what is left in the queue. */
  async function drain(count: number): Promise<Job[]> {
    const jobs: Job[] = [];
    const worker = new Worker('work', () => Promise.resolve(), {
      connection: redis.connection,
      autorun: false,
    });
    const all = new Promise<void>((resolve) => {
      worker.on('completed', (job) => {
        jobs.push(job);
        if (jobs.length === count) resolve();
      });
    });
    void worker.run();
    await all;
    await worker.close();
    return jobs;
  }
});

/** The messages of a child process, none of which is missed. Waiting ends with the child. */
function inbox(child: ChildProcess) {
  const messages: Record<string, string>[] = [];
  const changed = new EventEmitter();
  let ended: string | undefined;
  child.on('message', (message) => {
    messages.push(message as Record<string, string>);
    changed.emit('change');
  });
  child.on('close', (code, signal) => {
    ended = String(code ?? signal);
    changed.emit('change');
  });
  async function find<Found>(look: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (ended !== undefined) throw new Error(`The child has ended with ${ended}`);
      await once(changed, 'change');
    }
  }
  return {
    until: (wanted: (message: object) => boolean) => find(() => messages.find(wanted)),
    collect: (count: number, key: string) =>
      find(() => {
        const found = messages.flatMap((message) => message[key] ?? []);
        return found.length >= count ? found : undefined;
      }),
  };
}
