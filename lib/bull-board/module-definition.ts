import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { ChasquiBoardOptions } from './options.js';

export const BOARD_OPTIONS = Symbol('ChasquiBoardOptions');
export const BOARD_PATH = Symbol('ChasquiBoardPath');

/** Defines `forRoot` and `forRootAsync`. */
export const { ConfigurableModuleClass: BoardModuleClass } =
  new ConfigurableModuleBuilder<ChasquiBoardOptions>({
    optionsInjectionToken: BOARD_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createBoardOptions')
    .build();
