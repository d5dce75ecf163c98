import { Module } from '@nestjs/common';
import { OwnModule } from '../importers.js';
import { ChasquiCoreModule } from './core.module.js';
import { QueueModuleClass } from './queue.module-definition.js';

/** Registers one queue. */
@OwnModule()
@Module({ imports: [ChasquiCoreModule] })
export class ChasquiQueueModule extends QueueModuleClass {}
