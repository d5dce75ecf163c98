import { checkOptions, type Schema } from '../engine/config/check-options.js';
import { boolean, record, text, type Check } from '../engine/config/checks.js';
import type { BoardQueueOptions, ChasquiAdapterOptions, ChasquiBoardOptions } from './options.js';

const callable: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const anyText: Check = (value) => (typeof value === 'string' ? undefined : 'must be a string');

const adapterSchema: Schema<ChasquiAdapterOptions> = {
  name: text,
  readOnlyMode: boolean,
  allowRetries: boolean,
  allowCompletedRetries: boolean,
  prefix: anyText,
  delimiter: anyText,
  description: anyText,
  displayName: anyText,
  externalJobUrl: callable,
  jobDataSchema: record,
};

const guard: Check = (value) => {
  if (value === false || typeof value === 'function') return undefined;
  return typeof (value as { canActivate?: unknown } | null)?.canActivate === 'function'
    ? undefined
    : 'must be a guard class, an instance with canActivate, or false';
};

const boardSchema: Schema<ChasquiBoardOptions> = {
  guard,
  queues: (value) => (Array.isArray(value) ? undefined : 'must be an array of names or options'),
  readOnly: boolean,
  uiConfig: record,
};

/** @throws ConfigError (CMQ-004) */
export function checkAdapterOptions(options: ChasquiAdapterOptions): ChasquiAdapterOptions {
  return checkOptions('ChasquiAdapter', adapterSchema, options);
}

/** @throws ConfigError (CMQ-004) */
export function checkBoardOptions(options: ChasquiBoardOptions): ChasquiBoardOptions {
  const checked = checkOptions('ChasquiBoardModule', boardSchema, options);
  for (const queue of checked.queues ?? []) {
    if (text(queue) === undefined) continue;
    checkOptions(
      'ChasquiBoardModule, a queue',
      adapterSchema as Schema<BoardQueueOptions>,
      queue as BoardQueueOptions,
      ['name'],
    );
  }
  return checked;
}
