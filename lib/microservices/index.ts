import { nameErrors } from '../engine/base/error-names.js';
import * as errors from './errors.js';

export { ChasquiClient } from './chasqui.client.js';
export { ChasquiContext } from './chasqui.context.js';
export { ChasquiExceptionFilter } from './chasqui-exception.filter.js';
export { ChasquiRecord, ChasquiRecordBuilder } from './chasqui.record.js';
export { CHASQUI_TRANSPORT, ChasquiServer, type ChasquiServerEvents } from './chasqui.server.js';
export * from './errors.js';
export type { MessageMetadata } from './message.js';
export type {
  ChasquiClientOptions,
  ChasquiRecordOptions,
  ChasquiServerOptions,
  ChasquiStatus,
} from './options.js';

nameErrors(errors);
