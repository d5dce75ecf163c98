import type { DynamicModule, INestApplicationContext, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadExports } from '../../engine/threads/processor-file.js';
import { ConfigError, type Job } from '../../engine/index.js';
import { ChasquiExplorer } from '../explorer/chasqui.explorer.js';
import { assertEnhancersBound } from '../explorer/enhancers.js';
import { locationOf } from '../explorer/host.js';
import { planRoutes } from '../explorer/routes.js';
import { JobContextFactory, type JobHandler } from '../job-context/job-context.factory.js';
import { JobRouter } from '../job-context/job-router.js';
import { JobScopes } from '../job-context/job-scope.js';
import { ChasquiCoreModule } from '../modules/core.module.js';
import { describeLocation } from '../source-location.js';
import { moduleIn } from './thread-module.js';
import { THREAD_ROLE, type ThreadRole } from './thread-role.js';

// A processor file of the engine: what a thread of a queue with `useWorkerThreads` runs. It boots the module that the user
// names as an application context that only provides handlers.

/** The start of each thread would log one line per module. */
const QUIET: LogLevel[] = ['error', 'warn', 'fatal'];
const ALL: LogLevel[] = ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'];

class ThreadRootModule {}

let app: INestApplicationContext | undefined;
let run: JobHandler | undefined;

export async function onThreadStart(role: ThreadRole): Promise<void> {
  const module = await moduleIn(role.file, await loadExports(role.file), role.export);
  const root: DynamicModule = {
    module: ThreadRootModule,
    global: true,
    imports: [ChasquiCoreModule, module],
    providers: [{ provide: THREAD_ROLE, useValue: role }],
    exports: [THREAD_ROLE],
  };
  app = await NestFactory.createApplicationContext(root, { logger: QUIET, abortOnError: false });
  app.useLogger(ALL);
  if (role.trackCurrentJob) app.get(JobScopes, { strict: false }).track();
  run = routerOf(app, role).run;
}

export default function runJob(job: Job): unknown {
  return (run as JobHandler)(job);
}

export async function onThreadStop(): Promise<void> {
  await app?.close();
}

function routerOf(context: INestApplicationContext, { file, queue, globalEnhancers }: ThreadRole): JobRouter {
  const explorer = context.get(ChasquiExplorer, { strict: false });
  const contexts = context.get(JobContextFactory, { strict: false });
  const processors = explorer.explore().processors.filter((processor) => processor.queue === queue);
  if (processors.length === 0) {
    throw new ConfigError(
      `No provider of the module in "${file}" has @Processor('${queue}'): add the processor to its providers.`,
    );
  }
  const handlers = processors.flatMap((processor) => processor.handlers);
  for (const { host, methodName } of handlers) assertEnhancersBound(host, methodName);
  const locations = processors.map(({ host }) => locationOf(host));
  const routes = planRoutes(queue, handlers, locations);
  return new JobRouter(queue, routes, (handler, isBatched) => {
    if (!isBatched) return contexts.create(handler, globalEnhancers);
    // The application has refused its own; this processor is another one.
    throw new ConfigError(
      `${describeLocation(locationOf(handler.host, handler.methodName))} has "batches", and batches cannot run in threads, because a thread runs one job at a time.`,
    );
  });
}
