import { describe, expectTypeOf, test } from 'vitest';
import { BackoffSpec, Consumer, Producer, Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type {
  BackoffOptions,
  CompletedEvent,
  DlqEntry,
  Job,
  JobsOptions,
  MetricsSink,
  Processor,
  QueueOptions,
  WorkerOptions,
} from '../../lib/engine/index.js';

/*
 * Types are tested by the compiler (`npm run typecheck`): what should not compile is marked, and the mark itself fails
 * where it does.
 */

/** For code that is compiled and not run. */
function compiles(_code: unknown): void {
  // It has been compiled.
}

interface Mail {
  to: string;
}
interface Sent {
  delivered: boolean;
}
type MailQueue = Queue<Mail, Sent, 'welcome' | 'digest'>;
declare const queue: MailQueue;
declare const connection: { host: string };

describe('Queue', () => {
  test('types names, data and results', () => {
    expectTypeOf<MailQueue['add']>().parameter(0).toEqualTypeOf<'welcome' | 'digest'>();
    expectTypeOf<MailQueue['add']>().parameter(1).toEqualTypeOf<Mail>();
    expectTypeOf<MailQueue['add']>().returns.resolves.toEqualTypeOf<Job<Mail, Sent, 'welcome' | 'digest'>>();
    expectTypeOf<MailQueue['addBulk']>().returns.resolves.items.toEqualTypeOf<
      Job<Mail, Sent, 'welcome' | 'digest'>
    >();
    expectTypeOf<MailQueue['getJobResult']>().returns.resolves.toEqualTypeOf<Sent | undefined>();
    expectTypeOf<MailQueue['peekDlq']>().returns.resolves.items.toEqualTypeOf<DlqEntry>();
    expectTypeOf<MailQueue['remove']>().returns.resolves.toEqualTypeOf<number>();
    expectTypeOf<MailQueue>().toExtend<AsyncDisposable>();
  });

  test('refuses other names, other data and misspelt options', () => {
    compiles(() => [
      // @ts-expect-error a name that the queue does not have
      queue.add('goodbye', { to: 'ada' }),
      // @ts-expect-error data of another shape
      queue.add('welcome', { from: 'ada' }),
      // @ts-expect-error a misspelt option
      queue.add('welcome', { to: 'ada' }, { attemps: 3 }),
      // @ts-expect-error a bulk cannot hold schedules
      queue.addBulk([{ name: 'welcome', data: { to: 'ada' }, opts: { repeat: { every: 5 } } }]),
      // @ts-expect-error a misspelt option
      new Queue('mail', { connection, maxStreamLength: 5 }),
      // @ts-expect-error no connection
      new Queue('mail', {}),
    ]);
  });

  test('is unknown data and any name unless told', () => {
    expectTypeOf<Queue['add']>().parameter(0).toEqualTypeOf<string>();
    expectTypeOf<Queue['add']>().parameter(1).toEqualTypeOf<unknown>();
    expectTypeOf<QueueOptions['defaultJobOptions']>().toEqualTypeOf<Partial<JobsOptions> | undefined>();
  });
});

describe('Worker', () => {
  test('types the job and what the processor returns', () => {
    compiles(() => {
      const worker = new Worker<Mail, Sent, 'welcome'>(
        'mail',
        (job, signal) => {
          expectTypeOf(job).toEqualTypeOf<Job<Mail, Sent, 'welcome'>>();
          expectTypeOf(job.data.to).toEqualTypeOf<string>();
          expectTypeOf(job.name).toEqualTypeOf<'welcome'>();
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
          return { delivered: true };
        },
        { connection },
      );
      worker.on('completed', (job, result) => {
        expectTypeOf(job.returnvalue).toEqualTypeOf<Sent | undefined>();
        expectTypeOf(result).toEqualTypeOf<Sent>();
      });
      worker.on('failed', (_job, error) => expectTypeOf(error).toEqualTypeOf<Error>());
      // @ts-expect-error an event that does not exist
      worker.on('compleeted', () => undefined);
      // @ts-expect-error a result of another shape
      return new Worker<Mail, Sent>('mail', () => ({ sent: 1 }), { connection });
    });
  });

  test('takes async and plain processors, and every field of a consumer', () => {
    expectTypeOf<(job: Job<Mail>) => Promise<Sent>>().toExtend<Processor<Mail, Sent>>();
    expectTypeOf<(job: Job<Mail>) => Sent>().toExtend<Processor<Mail, Sent>>();
    expectTypeOf<{
      connection: string;
      claimMinIdleMs: number;
      metrics: MetricsSink;
    }>().toExtend<WorkerOptions>();
  });
});

describe('the rest', () => {
  test('events have their arguments', () => {
    compiles((events: QueueEvents) => {
      events.on('completed', (event, id) => {
        expectTypeOf(event).toEqualTypeOf<CompletedEvent>();
        expectTypeOf(event.attempt).toEqualTypeOf<number>();
        expectTypeOf(id).toEqualTypeOf<string>();
      });
      events.on('drained', (id) => expectTypeOf(id).toEqualTypeOf<string>());
      events.on('error', (error) => expectTypeOf(error).toEqualTypeOf<Error>());
    });
  });

  test('a producer types its payloads, a consumer its job', () => {
    expectTypeOf<Producer<Mail>['add']>().parameter(0).toEqualTypeOf<Mail>();
    expectTypeOf<Producer<Mail>['addBulkNamed']>().parameter(0).items.toExtend<readonly [string, Mail]>();
    compiles((consumer: Consumer<Mail>) =>
      consumer.run((job) => expectTypeOf(job.payload).toEqualTypeOf<Mail>()),
    );
  });

  test('a backoff is one of the kinds, or the name of a strategy', () => {
    expectTypeOf(BackoffSpec.fixed(5)).toEqualTypeOf<BackoffOptions>();
    expectTypeOf<{ type: 'mine' }>().toExtend<BackoffOptions>();
    // @ts-expect-error an option that does not exist
    compiles(() => BackoffSpec.exponential(5, { maxDelay: 5 }));
  });
});
