import { Module, type ConfigurableModuleAsyncOptions, type DynamicModule } from '@nestjs/common';
import { checkList } from '../engine/config/check-arguments.js';
import { ConfigError } from '../engine/index.js';
import { checkHttpPath } from '../nest/http-path.js';
import { OwnModule } from '../nest/importers.js';
import { plainObject } from '../nest/modules/check-arguments.js';
import { Board } from './board.js';
import { BoardAccess } from './board-access.js';
import { boardController } from './board.controller.js';
import { BOARD_PATH, BoardModuleClass } from './module-definition.js';
import type { ChasquiBoardExtras, ChasquiBoardOptions } from './options.js';

/** What `ChasquiBoardModule.forRootAsync` takes: a factory for the options, and the fields that Nest needs before it runs. */
export type ChasquiBoardAsyncOptions = ConfigurableModuleAsyncOptions<
  ChasquiBoardOptions,
  'createBoardOptions'
> &
  ChasquiBoardExtras;

/**
 * Mounts a board of the queues of this process. It works with Express and with Fastify.
 *
 * @example
 * ```ts
 * ChasquiBoardModule.forRoot({ path: 'admin/queues', guard: AdminGuard })
 * ```
 */
@OwnModule()
@Module({})
export class ChasquiBoardModule extends BoardModuleClass {
  /** @throws ConfigError (CMQ-004) at once for a wrong path or decorators, and at boot for other wrong options */
  static override forRoot(options: ChasquiBoardOptions & ChasquiBoardExtras = {}): DynamicModule {
    const { path, imports, decorators, ...rest } = plainObject('ChasquiBoardModule.forRoot', options);
    return mounted(super.forRoot(rest), { path, imports, decorators });
  }

  /** A board with options from `useFactory`, `useClass` or `useExisting`. Put `path` and `decorators` next to the factory. */
  static override forRootAsync(options: ChasquiBoardAsyncOptions): DynamicModule {
    const { path, decorators, ...rest } = plainObject('ChasquiBoardModule.forRootAsync', options);
    return mounted(super.forRootAsync(rest), { path, decorators });
  }
}

type Extras = { [K in keyof ChasquiBoardExtras]: ChasquiBoardExtras[K] | undefined };

function mounted(
  definition: DynamicModule,
  { path = 'queues', imports = [], decorators = [] }: Extras,
): DynamicModule {
  const checked = checkHttpPath('ChasquiBoardModule', path, 'admin/queues');
  checkList('ChasquiBoardModule: imports', imports);
  checkList('ChasquiBoardModule: decorators', decorators);
  if (!decorators.every((decorator) => typeof decorator === 'function')) {
    throw new ConfigError('ChasquiBoardModule: "decorators" must be an array of decorators.');
  }
  return {
    ...definition,
    imports: [...(definition.imports ?? []), ...imports],
    controllers: [boardController(checked, decorators)],
    providers: [
      ...(definition.providers ?? []),
      { provide: BOARD_PATH, useValue: checked },
      Board,
      BoardAccess,
    ],
  };
}
