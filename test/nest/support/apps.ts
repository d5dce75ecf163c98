import 'reflect-metadata';
import { Module, type INestApplicationContext, type ModuleMetadata, type Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, expect } from 'vitest';
import {
  ChasquiModule,
  ChasquiWorkers,
  getQueueToken,
  type ChasquiModuleOptions,
  type Connection,
  type Job,
  type JobsOptions,
  type Queue,
  type Worker,
} from '../../../lib/index.js';
import { collector, FAST } from '../../support/nest.js';

type Applications = ReturnType<typeof useApps>;

/** Starts applications on the test's Redis, and closes them after the test. */
export function useApps(redis: { readonly connection: Connection }) {
  const apps: INestApplicationContext[] = [];
  const logs: string[] = [];

  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    logs.length = 0;
  });

  /** Starts an application of one module. It has a `forRoot` on the test's Redis, unless `root` is null. */
  async function start(
    { imports = [], ...metadata }: ModuleMetadata,
    root: Partial<ChasquiModuleOptions> | null = {},
  ): Promise<INestApplicationContext> {
    const connected = root
      ? [ChasquiModule.forRoot({ connection: redis.connection, workerOptions: FAST, ...root })]
      : [];

    @Module({ imports: [...connected, ...imports], ...metadata })
    class AppModule {}
    return startModule(AppModule);
  }

  async function startModule(module: Type): Promise<INestApplicationContext> {
    const builder = Test.createTestingModule({ imports: [module] }).setLogger(collector(logs));
    const compiled = await builder.compile();
    // The leak check fails if an application that does not start leaves a connection open.
    const app = await compiled.init();
    apps.push(app);
    return app;
  }

  /** The error with which the start of such an application fails. */
  async function startError(
    metadata: ModuleMetadata,
    root?: Partial<ChasquiModuleOptions> | null,
  ): Promise<Error> {
    const outcome = await start(metadata, root).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    return outcome as Error;
  }

  return { start, startModule, startError, logs };
}

export type { Applications };

/** An application, or the reference of a lazy-loaded module, whose queues the application does not find. */
type Finder = Pick<INestApplicationContext | ModuleRef, 'get'>;

export function queueOf<Data = unknown>(app: Finder, name: string): Queue<Data> {
  return app.get<Queue<Data>>(getQueueToken(name), { strict: false });
}

export function workerOf(app: Finder, queue: string): Worker {
  const worker = app.get(ChasquiWorkers, { strict: false }).get(queue);
  if (!worker) throw new Error(`No worker for "${queue}"`);
  return worker;
}

export interface Run {
  readonly job: Job;
  readonly result?: unknown;
  readonly error?: Error;
}

/** The next attempts of a queue that end in this process, in order. */
export async function* runsOf(app: Finder, queue: string): AsyncGenerator<Run, never> {
  const worker = workerOf(app, queue);
  const runs: Run[] = [];
  let wake = (): void => {};
  worker.on('completed', (job, result) => {
    runs.push({ job, result });
    wake();
  });
  worker.on('failed', (job, error) => {
    runs.push({ job, error });
    wake();
  });
  for (;;) {
    const run = runs.shift();
    if (run) yield run;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

/** Adds a job and waits until its first attempt has ended and its outcome is committed. */
export async function runJob(
  app: Finder,
  queue: string,
  name: string,
  data: unknown = {},
  opts?: JobsOptions,
): Promise<Run> {
  const worker = workerOf(app, queue);
  const runs = new Map<string, Run>();
  let wanted: string | undefined;
  return new Promise<Run>((resolve, reject) => {
    const settle = (run: Run): void => {
      runs.set(run.job.id, run);
      if (run.job.id === wanted) done(run);
    };
    const onCompleted = (job: Job, result: unknown): void => {
      settle({ job, result });
    };
    const onFailed = (job: Job, error: Error): void => {
      settle({ job, error });
    };
    const done = (run: Run): void => {
      worker.off('completed', onCompleted).off('failed', onFailed);
      resolve(run);
    };
    worker.on('completed', onCompleted).on('failed', onFailed);
    queueOf(app, queue)
      .add(name, data, opts)
      .then(({ id }) => {
        wanted = id;
        const run = runs.get(id);
        if (run) done(run);
      }, reject);
  });
}
