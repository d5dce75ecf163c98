import 'reflect-metadata';
import type { INestMicroservice, ModuleMetadata } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect } from 'vitest';
import { Queue, type Worker } from '../../../lib/index.js';
import {
  ChasquiClient,
  ChasquiServer,
  type ChasquiClientOptions,
  type ChasquiServerOptions,
} from '../../../lib/microservices/index.js';
import { collector, FAST } from '../../support/nest.js';
import type { TestRedis } from '../../support/redis.js';

/** `@EventPattern`, whose types in Nest 12 refuse a handler with no parameter or with a second one. */
export const OnEvent = EventPattern as (pattern: unknown) => MethodDecorator;

/** Servers and clients of the queue "orders" on the test's Redis; closed after the test. */
export function useMicroservices(redis: TestRedis) {
  const closing: (() => Promise<unknown>)[] = [];
  const logs: string[] = [];
  let connection: { host: string; port: number };

  beforeEach(() => {
    // One object, so that everything in a test shares one command connection.
    connection = { host: redis.host, port: redis.port };
  });

  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
    logs.length = 0;
  });

  /** A microservice of these controllers that is not started yet. */
  async function boot(metadata: ModuleMetadata, options: Partial<ChasquiServerOptions> = {}) {
    const server = new ChasquiServer({ queue: 'orders', connection, ...FAST, ...options });
    // Also closed if the boot fails.
    closing.push(() => server.close());
    const module = await Test.createTestingModule(metadata).setLogger(collector(logs)).compile();
    const app: INestMicroservice = module.createNestMicroservice({
      strategy: server,
      logger: collector(logs),
    });
    return { app, server, worker: server.unwrap() };
  }

  /** A microservice that listens. */
  async function serve(metadata: ModuleMetadata, options: Partial<ChasquiServerOptions> = {}) {
    const booted = await boot(metadata, options);
    await booted.app.listen();
    closing.push(() => booted.app.close());
    return booted;
  }

  function connect(options: Partial<ChasquiClientOptions> = {}): ChasquiClient {
    const client = new ChasquiClient({ queue: 'orders', connection, ...options });
    closing.push(() => client.close());
    return client;
  }

  /** The queue itself. */
  function open(): Queue {
    const queue = new Queue('orders', { connection });
    closing.push(() => queue.close());
    return queue;
  }

  async function noDeadLetter(): Promise<void> {
    expect(await open().peekDlq()).toEqual([]);
  }

  return {
    boot,
    serve,
    connect,
    open,
    noDeadLetter,
    logs,
    defer: (close: () => Promise<unknown>) => closing.push(close),
  };
}

/** `reached` resolves at the n-th call of `hit`, with the arguments of all calls. */
export function latch<T>(count = 1) {
  const hits: T[] = [];
  let resolve: (hits: T[]) => void = () => {};
  const reached = new Promise<T[]>((done) => (resolve = done));
  const hit = (value: T): void => {
    hits.push(value);
    if (hits.length === count) resolve(hits);
  };
  return { hit, reached, hits };
}

/** Resolves when `count` jobs of this worker have ended for good. */
export function ended(worker: Worker, count = 1): Promise<unknown> {
  const { hit, reached } = latch<string>(count);
  worker.on('completed', (job) => {
    hit(job.id);
  });
  worker.on('failed', (job, error) => {
    const attempts = job.opts.attempts ?? worker.opts.maxAttempts ?? 3;
    if (
      job.attemptsMade >= attempts ||
      error.name.startsWith('Unrecoverable') ||
      error.name.startsWith('Unhandled')
    )
      hit(job.id);
  });
  return reached;
}
