import { Module, type ConfigurableModuleAsyncOptions, type DynamicModule } from '@nestjs/common';
import { OwnModule } from './importers.js';
import type { ChasquiFeatureExtras, ChasquiFeatureOptions, ChasquiQueueOptions } from './module-options.js';
import { checkAsyncOptions, checkModuleOptions } from './modules/check-arguments.js';
import { ConnectionModuleClass } from './modules/connection.module-definition.js';
import { ChasquiCoreModule } from './modules/core.module.js';
import { ChasquiQueueModule } from './modules/queue.module.js';

/** What `ChasquiModule.forFeatureAsync` takes: a factory for a queue's options, and the fields that Nest needs before it runs. */
export type ChasquiQueueAsyncOptions = ConfigurableModuleAsyncOptions<
  ChasquiFeatureOptions,
  'createQueueOptions'
> &
  ChasquiFeatureExtras;

/**
 * Import `forRoot` once, in the root module, to register a connection. Import `forFeature` in each module to register the
 * queues that the module uses.
 *
 * @example
 * ```ts
 * ChasquiModule.forRoot({ connection: { host: '127.0.0.1', port: 6379 } })
 * ChasquiModule.forFeature({ name: 'welcome', defaultJobOptions: { attempts: 5 } })
 * ```
 */
@OwnModule()
@Module({ imports: [ChasquiCoreModule] })
export class ChasquiModule extends ConnectionModuleClass {
  /** Registers a connection. All modules can use it, unless `isGlobal` is false. */
  static override forRoot(options: Parameters<typeof ConnectionModuleClass.forRoot>[0]): DynamicModule {
    return super.forRoot(checkModuleOptions('forRoot', options));
  }

  /** Registers a connection with options from `useFactory`, `useClass` or `useExisting`. */
  static override forRootAsync(
    options: Parameters<typeof ConnectionModuleClass.forRootAsync>[0],
  ): DynamicModule {
    return super.forRootAsync(checkAsyncOptions('forRootAsync', options, ['name', 'isGlobal']));
  }

  /** Registers queues, by name or with options. */
  static forFeature(...queues: readonly (string | ChasquiQueueOptions)[]): DynamicModule {
    return together(
      queues.map((queue) =>
        ChasquiQueueModule.forFeature(
          checkModuleOptions('forFeature', typeof queue === 'string' ? { name: queue } : queue, ['name']),
        ),
      ),
    );
  }

  /** Registers queues with options from `useFactory`, `useClass` or `useExisting`. Put the `name` next to the factory. */
  static forFeatureAsync(...queues: readonly ChasquiQueueAsyncOptions[]): DynamicModule {
    const extras = ['name', 'connectionName', 'isGlobal'] as const;
    return together(
      queues.map((queue) =>
        ChasquiQueueModule.forFeatureAsync(checkAsyncOptions('forFeatureAsync', queue, extras, ['name'])),
      ),
    );
  }
}

function together(modules: DynamicModule[]): DynamicModule {
  // This module class, so that users can write `exports: [ChasquiModule]`.
  return { module: ChasquiModule, imports: modules, exports: modules };
}
