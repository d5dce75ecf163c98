import { nameErrors } from '../engine/base/error-names.js';
import * as errors from './errors.js';

export { ChasquiAdapter } from './chasqui.adapter.js';
export { ChasquiBoardModule, type ChasquiBoardAsyncOptions } from './chasqui-board.module.js';
export * from './errors.js';
export type {
  BoardQueueOptions,
  ChasquiAdapterOptions,
  ChasquiBoardExtras,
  ChasquiBoardOptions,
} from './options.js';

nameErrors(errors);
