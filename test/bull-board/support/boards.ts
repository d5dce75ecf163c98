import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { Module, type INestApplication, type ModuleMetadata, type VersioningOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  ChasquiModule,
  getQueueToken,
  type ChasquiModuleOptions,
  type Connection,
  type Queue,
} from '../../../lib/index.js';
import { ChasquiBoardModule, type ChasquiBoardOptions } from '../../../lib/bull-board/index.js';
import type { ChasquiBoardExtras } from '../../../lib/bull-board/index.js';
import { collector, FAST } from '../../support/nest.js';

export type HttpLibrary = 'express' | 'fastify';

export interface StartOptions extends ModuleMetadata {
  /** Default: a board at `/queues` with `guard: false`, whose pages are {@link QUICK}. */
  board?: ChasquiBoardOptions & ChasquiBoardExtras;
  root?: Partial<ChasquiModuleOptions>;
  library?: HttpLibrary;
  prefix?: string;
  versioning?: VersioningOptions;
}

/** The fields that tests look at. */
export interface Body {
  readonly queues: readonly ShownQueue[];
  readonly job: ShownJob;
  readonly status: string;
  readonly error: { readonly key: string };
  readonly message: string;
}

export interface ShownQueue {
  readonly name: string;
  readonly readOnlyMode: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly ShownJob[];
  readonly displayName?: string;
  readonly description?: string;
  readonly activeRateLimitTtl: number;
  readonly hasWorkers: boolean | null;
  readonly isPaused: boolean;
}

export interface ShownJob {
  readonly id: string | null;
  readonly name: string;
  readonly data: unknown;
  readonly opts: { readonly delay?: number };
  readonly delay: number;
  readonly timestamp: number;
  readonly failedReason?: string;
  readonly stacktrace: readonly string[];
  readonly returnValue: unknown;
  readonly progress: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON. */
  readonly body: Body;
}

export interface BoardApp {
  readonly app: INestApplication;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  queue<Data = unknown>(name: string): Queue<Data>;
  /** @param path behind the origin */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** Pages ask once a second: Bull Board's own 5 seconds are what most tests would wait for. */
export const QUICK = { pollingInterval: { showSetting: true, forceInterval: 1 } };

/**
 * Starts applications with a board, and closes them after the test. The first of each test has the same origin in the whole file, so
 * that the browser keeps the files of the page: to load them takes most of its time.
 */
export function useBoards(redis: { readonly connection: Connection }) {
  const apps: INestApplication[] = [];
  const logs: string[] = [];
  /** Has the port of that origin as long as the file runs, and hands connections over to the application of the test. */
  const door = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const server = apps[0]?.getHttpServer() as Server | undefined;
    if (server?.listening !== true) socket.destroy();
    else server.emit('connection', socket);
  });

  beforeAll(async () => {
    await once(door.listen(0, '127.0.0.1'), 'listening');
  });

  afterAll(() => {
    door.close();
  });

  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    logs.length = 0;
  });

  async function start(options: StartOptions = {}): Promise<BoardApp> {
    const {
      board = { guard: false, uiConfig: QUICK },
      root = {},
      library = 'express',
      prefix,
      versioning,
      imports = [],
      ...rest
    } = options;

    @Module({
      imports: [
        ChasquiModule.forRoot({ connection: redis.connection, workerOptions: FAST, ...root }),
        ...imports,
        ChasquiBoardModule.forRoot(board),
      ],
      ...rest,
    })
    class AppModule {}
    // A browser opens connections in advance, and sends nothing on them.
    const forceCloseConnections = true;
    const settings = { logger: collector(logs), abortOnError: false, forceCloseConnections };
    const app =
      library === 'express'
        ? await NestFactory.create(AppModule, settings)
        : await NestFactory.create(AppModule, new FastifyAdapter({ forceCloseConnections }), settings);
    apps.push(app);
    if (prefix !== undefined) app.setGlobalPrefix(prefix);
    if (versioning) app.enableVersioning(versioning);
    await app.listen(0, '127.0.0.1');
    const { port } = (app === apps[0] ? door : (app.getHttpServer() as Server)).address() as AddressInfo;
    const origin = `http://127.0.0.1:${String(port)}`;
    return {
      app,
      origin,
      queue: (name) => app.get(getQueueToken(name), { strict: false }),
      call: (method, path, body, headers) => call(origin + path, method, body, headers),
    };
  }

  return { start, logs };
}

export async function call(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Body,
  };
}
