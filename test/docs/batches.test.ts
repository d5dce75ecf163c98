import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { ConsoleLogger, type Type } from '@nestjs/common';
import { afterEach, expect, it } from 'vitest';
import { once } from 'node:events';
import {
  ChasquiModule,
  ChasquiWorkers,
  Queue,
  type Connection,
  type Job,
  type Worker,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block, suite } = docsPage('docs/batches.md', redis);

const FAILURES = 'Results, and failures of single jobs';
const inNest = block<{ Samples: Type; SamplesProcessor: Type }>('In Nest');
const withoutNest = block<{
  storeSamples(connection: Connection, insert: (samples: unknown[]) => Promise<void>): Worker;
}>('Without Nest');
const results = block<{ ImagesProcessor: Type }>(FAILURES);
const failing = block<{ Provider: Type; MailsProcessor: Type }>(FAILURES, 2);
const validating = block<{ CheckedProcessor: Type }>('Guards, pipes, interceptors and filters');

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

/** Adds jobs to a queue, and runs them in an application. Resolves with the result or the error of each, by its id. */
async function run(
  queue: string,
  name: string,
  data: readonly unknown[],
  providers: readonly unknown[],
): Promise<Record<string, unknown>> {
  const module = await Test.createTestingModule({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection }),
      ChasquiModule.forFeature({ name: queue, workerOptions: { autorun: false } }),
    ],
    providers: providers as Type[],
  })
    .setLogger(new ConsoleLogger({ logLevels: [] }))
    .compile();
  const app = await module.init();
  close = () => app.close();
  await using jobs = new Queue(queue, { connection: redis.connection });
  await jobs.addBulk(
    data.map((one, index) => ({ name, data: one, opts: { jobId: String(index), attempts: 1 } })),
  );
  const workers = app.get(ChasquiWorkers);
  const ended: Record<string, unknown> = {};
  const all = new Promise<void>((resolve) => {
    const end = (job: Job, outcome: unknown): void => {
      ended[job.id] = outcome;
      if (Object.keys(ended).length === data.length) resolve();
    };
    // The worker is there once it is checked, before it runs.
    const worker = workers.get(queue) as Worker;
    worker.on('completed', end).on('failed', (job, error) => {
      end(job, error.message);
    });
  });
  await workers.start(queue);
  await all;
  return ended;
}

it('a processor stores samples together', async () => {
  const { Samples, SamplesProcessor } = await inNest();
  const calls: unknown[] = [];
  const store = { insertMany: (samples: unknown[]) => Promise.resolve(void calls.push(samples)) };
  const data = [
    { sensor: 'a', value: 1 },
    { sensor: 'b', value: 2 },
  ];
  await run('samples', 'sample', data, [SamplesProcessor, { provide: Samples, useValue: store }]);
  expect(calls).toEqual([data]);
});

it('a worker without Nest does, too', async () => {
  const { storeSamples } = await withoutNest();
  await using queue = new Queue('samples', { connection: redis.connection });
  await queue.addBulk([1, 2, 3].map((value) => ({ name: 'sample', data: value })));
  const calls: unknown[] = [];
  await using worker = storeSamples(redis.connection, (samples) => Promise.resolve(void calls.push(samples)));
  await once(worker, 'completed');
  expect(calls).toEqual([[1, 2, 3]]);
});

it('an error among the results fails its job', async () => {
  const { ImagesProcessor } = await results();
  const ended = await run('images', 'resize', [{ width: 10 }, { width: 5_000 }], [ImagesProcessor]);
  expect(ended).toEqual({ 0: 'resized to 10', 1: '5000 pixels are too many' });
});

it('job.fail fails its job', async () => {
  const { Provider, MailsProcessor } = await failing();
  const provider = { sendAll: () => Promise.resolve([{ index: 1, reason: 'no such mailbox' }]) };
  const ended = await run(
    'mails',
    'mail',
    [{ to: 'ada' }, { to: 'nobody' }],
    [MailsProcessor, { provide: Provider, useValue: provider }],
  );
  expect(ended).toEqual({ 0: undefined, 1: 'no such mailbox' });
});

it('a payload that is not valid leaves the batch', async () => {
  const { CheckedProcessor } = await validating();
  const ended = await run(
    'checked',
    'sample',
    [{ value: 1 }, { value: 'x' }, { value: 2 }],
    [CheckedProcessor],
  );
  expect(ended).toMatchObject({ 0: 3, 1: expect.stringContaining('value must be a number') as string, 2: 3 });
});

suite('Testing a handler');
