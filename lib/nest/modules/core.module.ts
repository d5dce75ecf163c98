import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ChasquiExplorer } from '../explorer/chasqui.explorer.js';
import { HandlerGraph } from '../explorer/handler-graph.js';
import { OwnModule } from '../importers.js';
import { JobContextFactory } from '../job-context/job-context.factory.js';
import { JobScopes } from '../job-context/job-scope.js';
import { BootWatch } from '../runtime/boot.watch.js';
import { ChasquiLifecycle } from '../runtime/chasqui.lifecycle.js';
import { ChasquiQueues } from '../runtime/chasqui.queues.js';
import { ChasquiWorkers } from '../runtime/chasqui.workers.js';
import { ConnectionLog } from '../runtime/connection.log.js';
import { ConnectionRegistry } from '../runtime/connection.registry.js';
import { ListenerBinder } from '../runtime/listener.binder.js';
import { QueueRegistry } from '../runtime/queue.registry.js';
import { Schedules } from '../runtime/schedules.js';
import { Subscriptions } from '../runtime/subscriptions.js';
import { WorkerPool } from '../runtime/worker.pool.js';

/** The providers that exist once per application. Every other module of this package imports it. */
@Global()
@OwnModule()
@Module({
  imports: [DiscoveryModule],
  providers: [
    ConnectionRegistry,
    ConnectionLog,
    QueueRegistry,
    ChasquiExplorer,
    HandlerGraph,
    JobScopes,
    JobContextFactory,
    ListenerBinder,
    WorkerPool,
    Schedules,
    Subscriptions,
    BootWatch,
    ChasquiWorkers,
    ChasquiQueues,
    ChasquiLifecycle,
  ],
  exports: [ConnectionRegistry, QueueRegistry, ChasquiWorkers, ChasquiQueues],
})
export class ChasquiCoreModule {}
