import { Inject, Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory, type ContextId, type ContextIdStrategy } from '@nestjs/core';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ChasquiModule,
  JobId,
  JOB_REF,
  OnJob,
  OnWorkerEvent,
  Processor,
  currentJob,
  type Job,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { runJob, useApps } from './support/apps.js';

const redis = useRedis();
const { start } = useApps(redis);

const mail = () => ChasquiModule.forFeature('mail');

describe('request scope', () => {
  it('makes a processor for each job, and gives it the job', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class JobLog {
      readonly lines: string[] = [];
      constructor(@Inject(JOB_REF) readonly job: Job) {}
    }
    @Injectable({ scope: Scope.REQUEST })
    @Processor('mail')
    class MailProcessor {
      constructor(
        @Inject(JobLog) private readonly log: JobLog,
        @Inject(JOB_REF) private readonly job: Job,
      ) {
        made += 1;
      }
      @OnJob('send')
      send(@JobId() id: string) {
        return this.log.job === this.job && this.job.id === id;
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor, JobLog] });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: true });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: true });
    expect(made).toBe(2);
  });

  it('gives a listener the instance that handled the job', async () => {
    const seen: string[] = [];
    @Injectable({ scope: Scope.REQUEST })
    @Processor('mail')
    class MailProcessor {
      private text = 'nothing';
      @OnJob('send')
      send(job: Job) {
        this.text = `sent ${job.id}`;
      }
      @OnWorkerEvent('completed')
      done(job: Job) {
        seen.push(this.text, job.id);
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const { job } = await runJob(app, 'mail', 'send');
    await runJob(app, 'mail', 'send');
    expect(seen.slice(0, 2)).toEqual([`sent ${job.id}`, job.id]);
  });

  it('of a dependency is enough', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class JobLog {
      constructor(@Inject(JOB_REF) readonly job: Job) {}
    }
    @Processor('mail')
    class MailProcessor {
      constructor(@Inject(JobLog) private readonly log: JobLog) {}
      @OnJob('send')
      send(job: Job) {
        return this.log.job === job;
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor, JobLog] });
    expect(await runJob(app, 'mail', 'send')).toMatchObject({ result: true });
  });

  it.each([{ scope: Scope.REQUEST }, { scope: Scope.TRANSIENT }, { inject: [JOB_REF] }])(
    'of a factory under the class has it make a processor for each job: %o',
    async (how) => {
      let made = 0;
      @Processor('mail')
      class MailProcessor {
        readonly number = (made += 1);
        @OnJob('send')
        send(@JobId() id: string) {
          return `${id} by ${String(this.number)}`;
        }
      }
      const factory = { provide: MailProcessor, useFactory: () => new MailProcessor(), ...how };
      const app = await start({ imports: [mail()], providers: [factory] });
      const first = await runJob(app, 'mail', 'send');
      const second = await runJob(app, 'mail', 'send');
      expect(first.result).toMatch(new RegExp(`^${first.job.id} by `));
      expect(second.result).toBe(`${second.job.id} by ${String(made)}`);
      expect(made).toBeGreaterThanOrEqual(2);
    },
  );

  it('transient makes a processor for each job too', async () => {
    let made = 0;
    @Injectable({ scope: Scope.TRANSIENT })
    @Processor('mail')
    class MailProcessor {
      readonly number = (made += 1);
      @OnJob('send')
      send() {
        return this.number;
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    const first = await runJob(app, 'mail', 'send');
    const second = await runJob(app, 'mail', 'send');
    expect(second.result).toBe((first.result as number) + 1);
  });
});

describe('durable providers', () => {
  class TenantStrategy implements ContextIdStrategy<Job<{ tenant: string }>> {
    readonly #trees = new Map<string, ContextId>();
    attach(contextId: ContextId, job: Job<{ tenant: string }>) {
      const { tenant } = job.data;
      const tree = this.#trees.get(tenant) ?? ContextIdFactory.create();
      this.#trees.set(tenant, tree);
      return {
        resolve: (info: { isTreeDurable: boolean }) => (info.isTreeDurable ? tree : contextId),
        payload: { tenant },
      };
    }
  }

  afterEach(() => {
    ContextIdFactory.apply({ attach: (contextId) => () => contextId });
  });

  it('live as long as their tenant', async () => {
    ContextIdFactory.apply(new TenantStrategy());
    const made: string[] = [];
    @Injectable({ scope: Scope.REQUEST, durable: true })
    @Processor('mail')
    class MailProcessor {
      readonly tenant: string;
      constructor(@Inject(JOB_REF) payload: { tenant: string }) {
        this.tenant = payload.tenant;
        made.push(payload.tenant);
      }
      @OnJob('send')
      send() {
        return this.tenant;
      }
    }
    const app = await start({ imports: [mail()], providers: [MailProcessor] });
    for (const tenant of ['a', 'b', 'a', 'b']) {
      expect(await runJob(app, 'mail', 'send', { tenant })).toMatchObject({ result: tenant });
    }
    expect(made).toEqual(['a', 'b']);
  });
});

describe('currentJob', () => {
  it('is the job in all code that a handler calls, and listeners get its store', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Deep {
      async work() {
        await Promise.resolve();
        currentJob()?.store.set('trace', `trace of ${String(currentJob()?.job.id)}`);
      }
    }
    @Processor('mail')
    class MailProcessor {
      constructor(@Inject(Deep) private readonly deep: Deep) {}
      @OnWorkerEvent('active')
      active(job: Job) {
        currentJob()?.store.set('active', job.id);
      }
      @OnJob('send')
      async send() {
        await this.deep.work();
        if (currentJob()?.job.attemptsMade === 1) throw new Error('again');
      }
      @OnWorkerEvent('failed')
      async failed(job: Job) {
        await Promise.resolve();
        seen.push(job.id, currentJob()?.store.get('trace'), currentJob()?.store.get('active'));
      }
    }
    const app = await start(
      { imports: [mail()], providers: [MailProcessor, Deep] },
      { trackCurrentJob: true },
    );
    const { job } = await runJob(app, 'mail', 'send');
    await Promise.resolve();
    expect(seen).toEqual([job.id, `trace of ${job.id}`, job.id]);
    expect(currentJob()).toBeUndefined();
  });
});
